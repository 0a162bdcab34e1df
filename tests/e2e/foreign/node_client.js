// Carries lines between stdin and a TLS connection: node node_client.js PORT CA VERSION
const fs = require('fs');
const tls = require('tls');

const [port, ca, version] = process.argv.slice(2);
const socket = tls.connect({
	host: '127.0.0.1',
	port: Number(port),
	servername: 'localhost',
	ca: fs.readFileSync(ca),
	ALPNProtocols: ['confab/1'],
	minVersion: version,
	maxVersion: version,
	allowHalfOpen: false,
}, () => {
	console.log(`# secure ${socket.authorized} ${socket.getProtocol()} ${socket.alpnProtocol}`);
	process.stdin.pipe(socket);
});
socket.on('data', (data) => process.stdout.write(data));
socket.on('end', () => console.log('# end'));
socket.on('error', (error) => {
	console.log(`# error ${error.code}`);
	process.exit(1);
});
socket.on('close', () => process.exit(0));
