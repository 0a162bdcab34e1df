# Makes all the certificates that a server and its first users need, in one call.
#
#   scripts\gen-certs.ps1 [--dir DIR] [--user USER]... [SERVER_NAME...]
#
#   --dir DIR      the folder (default: confab-certs in the current folder)
#   --user USER    a user who gets a certificate; may be repeated (default: alice)
#   SERVER_NAME    host names and IP addresses of the server (default: localhost)
#
# What is there already is kept, so that a later call adds a server or a user. The paths of what
# was made go to standard output; how to use it is said on standard error. The tool that does the
# work, confab-certs, is taken from $env:CONFAB_CERTS, this checkout's build folders or the PATH.
# Exit codes: 0 done, 2 wrong usage, else as confab-certs.

Set-StrictMode -Version 2.0
# Stop would take a word on a program's standard error for an exception.
$ErrorActionPreference = 'Continue'

function Say([string]$text) { [Console]::Error.WriteLine("gen-certs.ps1: $text") }
function Stop-Usage([string]$text) { Say "$text; see gen-certs.ps1 --help"; exit 2 }

$dir = 'confab-certs'
$users = @()
$names = @()
$onlyWords = $false
for ($i = 0; $i -lt $args.Count; $i++) {
    $arg = [string]$args[$i]
    if ($onlyWords) { $names += $arg; continue }
    if ($arg -ceq '--dir' -or $arg -ceq '--user') {
        if ($i + 1 -ge $args.Count) { Stop-Usage "$arg needs a value" }
        $i++
        if ($arg -ceq '--dir') { $dir = [string]$args[$i] } else { $users += [string]$args[$i] }
    }
    elseif ($arg.StartsWith('--dir=')) { $dir = $arg.Substring(6) }
    elseif ($arg.StartsWith('--user=')) { $users += $arg.Substring(7) }
    elseif ($arg -ceq '--help' -or $arg -ceq '-h') {
        Write-Output 'usage: scripts\gen-certs.ps1 [--dir DIR] [--user USER]... [SERVER_NAME...]'
        Get-Content -LiteralPath $PSCommandPath | Select-Object -Skip 4 -First 8 |
            ForEach-Object { $_ -replace '^# ?', '' }
        exit 0
    }
    elseif ($arg -ceq '--') { $onlyWords = $true }
    elseif ($arg.StartsWith('-')) { Stop-Usage "unknown option $arg" }
    else { $names += $arg }
}
# A backslash before the closing quote would be read as part of a longer argument.
if ($dir.Length -gt 3) { $dir = $dir.TrimEnd([char[]]'\/') }
if ($dir -eq '') { Stop-Usage '--dir needs the name of a folder' }
if ($users.Count -eq 0) { $users = @('alice') }
if ($names.Count -eq 0) { $names = @('localhost') }

# The tool, and the server and the client for the command lines that are printed.
$top = Split-Path -Parent (Split-Path -Parent $PSCommandPath)
$server = 'confab-server'
$client = 'confab'
$tool = $env:CONFAB_CERTS
if ($tool) {
    if (-not (Test-Path -LiteralPath $tool -PathType Leaf)) {
        Say "CONFAB_CERTS names no program: $tool"
        exit 1
    }
}
else {
    foreach ($build in 'release', 'debug', 'windows') {
        $folder = Join-Path (Join-Path $top 'build') $build
        $found = Join-Path $folder 'certs\confab-certs.exe'
        if (-not (Test-Path -LiteralPath $found -PathType Leaf)) { continue }
        $tool = $found
        $near = Join-Path $folder 'server\confab-server.exe'
        if (Test-Path -LiteralPath $near -PathType Leaf) { $server = $near }
        $near = Join-Path $folder 'client\cli\confab.exe'
        if (Test-Path -LiteralPath $near -PathType Leaf) { $client = $near }
        break
    }
    if (-not $tool) {
        $command = Get-Command 'confab-certs.exe' -CommandType Application `
            -ErrorAction SilentlyContinue | Select-Object -First 1
        if ($command) { $tool = $command.Path }
    }
    if (-not $tool) {
        Say ('confab-certs is not built yet and not in the PATH: install Confab, or run ' +
            'cmake --preset release, then cmake --build --preset release')
        exit 1
    }
}

# The stem of the file that a name's certificate has; '' if there is none. Stems are ASCII, so that
# the console's code page cannot spoil them, which it might do to the folder in front.
function Get-Stem([string]$name) {
    $lines = @(& $tool show --dir $dir $name 2>$null)
    if ($LASTEXITCODE -ne 0 -or $lines.Count -eq 0) { return '' }
    $leaf = ([string]$lines[0]).Split([char[]]'\/')[-1]
    return ($leaf -replace '\.pem$', '')
}

function Invoke-Make([string]$what, [string]$name, [string]$verb, [string[]]$words) {
    if ((Get-Stem $name) -ne '') {
        Say "kept the certificate of $what"
        return
    }
    # Quoted, because a bare -- is taken by PowerShell itself.
    & $tool $verb --quiet --dir $dir '--' @words
    if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
}

# A command line that can be pasted: words with spaces or the like in single quotes.
function Show-Command([string[]]$words) {
    $quoted = @()
    foreach ($word in $words) {
        if ($word -match '^[A-Za-z0-9._:/\\\-]+$') { $quoted += $word }
        else { $quoted += "'" + $word.Replace("'", "''") + "'" }
    }
    $line = $quoted -join ' '
    if ($line.StartsWith("'")) { $line = '& ' + $line }
    [Console]::Error.WriteLine("    $line")
}

Invoke-Make 'the CA' 'ca' 'init' @()
Invoke-Make "server $($names[0])" $names[0] 'server' $names
foreach ($user in $users) { Invoke-Make "user $user" "client-$user" 'client' @($user) }

$stem = Get-Stem $names[0]
$at = $names[0]
if ($at.StartsWith('*')) { $at = 'HOST' }
elseif ($at.Contains(':') -and -not $at.StartsWith('[')) { $at = "[$at]" }
Say 'start the server with:'
Show-Command @($server,
    '--cert', (Join-Path $dir "$stem.pem"), '--key', (Join-Path $dir "$stem.key"),
    '--client-ca', (Join-Path $dir 'ca.pem'), '--crl', (Join-Path $dir 'crl.pem'))
foreach ($user in $users) {
    Say "and chat as $user with:"
    Show-Command @($client, 'chat', '--server', $at, '--ca', (Join-Path $dir 'ca.pem'),
        '--cert', (Join-Path $dir "client-$user.pem"), '--key', (Join-Path $dir "client-$user.key"))
}
Say 'ca.key stays here and secret; a user needs ca.pem and the two files of their own'
exit 0
