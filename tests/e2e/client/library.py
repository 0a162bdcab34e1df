"""libconfab as others meet it: installed, found by pkg-config and CMake, used from C++."""

import os
import shutil
import subprocess

from confab_test import Failure, main, programs, skip, temp_dir
from person import write

SOURCE = r"""
#include <confab.h>
#include <cstdio>

int main()
{
	struct confab_options options = {};
	struct confab *c = nullptr;
	char error[200] = "";

	options.size = sizeof options;
	options.server = "localhost:1";
	options.user = "alice";
	options.ca_file = CA;
	if (confab_startup(error, sizeof error) != CONFAB_OK ||
	    confab_new(&options, &c, error, sizeof error) != CONFAB_OK) {
		std::puts(error);
		return 1;
	}
	int code = confab_connect(c) == CONFAB_UNREACHABLE ? 0 : 1;
	std::puts(confab_error_text(c));
	confab_free(c);
	confab_cleanup();
	return code;
}
"""

CMAKE = """
cmake_minimum_required(VERSION 3.16)
project(use CXX)
find_package(Confab REQUIRED)
add_executable(shared use.cpp)
target_link_libraries(shared Confab::confab)
add_executable(static use.cpp)
target_link_libraries(static Confab::confab_static)
"""


def call(*argv, **options):
    done = subprocess.run(argv, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        raise Failure(f"{' '.join(argv)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def prepare():
    """The installed tree, and a folder with a program that uses it."""
    from confab_test import product_certs
    if os.environ["CONFAB_SANITIZE"] or programs.client().is_windows:
        skip("a plain build for this system is what is installed")
    for tool in ("cmake", "c++", "pkg-config"):
        if not shutil.which(tool):
            skip(f"there is no {tool}")
    folder = temp_dir()
    call("cmake", "--install", os.environ["CONFAB_BUILD"], "--prefix", f"{folder}/tree")
    write(folder, "use.cpp", f'#define CA "{product_certs().ca}"\n{SOURCE}')
    write(folder, "CMakeLists.txt", CMAKE)
    return folder


def library_folder(folder):
    for place, _, files in os.walk(f"{folder}/tree"):
        if "libconfab.so" in files:
            return place
    raise Failure("no libconfab.so was installed")


def check(program, **options):
    assert "is confab-server running there?" in call(program, **options)


def e2e__library__is_found_by_pkg_config():
    folder = prepare()
    libraries = library_folder(folder)
    env = dict(os.environ, PKG_CONFIG_PATH=f"{libraries}/pkgconfig", LD_LIBRARY_PATH=libraries)
    # Flags with spaces in them are quoted for a shell.
    call("sh", "-c", "eval c++ -Wall -Wextra -pedantic use.cpp -o use "
         "$(pkg-config --cflags --libs confab)", cwd=folder, env=env)
    check(f"{folder}/use", env=env)


def e2e__library__is_found_by_cmake():
    folder = prepare()
    call("cmake", "-S", folder, "-B", f"{folder}/b", f"-DCMAKE_PREFIX_PATH={folder}/tree")
    call("cmake", "--build", f"{folder}/b")
    check(f"{folder}/b/shared")
    check(f"{folder}/b/static")


def e2e__library__shows_only_its_own_names():
    folder = prepare()
    libraries = library_folder(folder)
    for argv in (["nm", "-D", "--defined-only", f"{libraries}/libconfab.so"],
                 ["nm", "-g", "--defined-only", f"{libraries}/libconfab.a"]):
        names = [line.split() for line in call(*argv).splitlines()]
        names = [words[2].partition("@")[0] for words in names
                 if len(words) == 3 and words[1] != "A"]
        assert len(names) > 20 and all(name.startswith("confab_") for name in names), names


if __name__ == "__main__":
    main(globals())
