# The libraries the project stands on, as targets:
#   confab::mbedtls  mbedTLS 3.6, always from source with cmake/mbedtls/mbedtls_user_config.h
#   confab::cjson    cJSON, the system's where it is new enough, else from source
#   confab::uv       libuv, likewise
#   confab::sqlite   SQLite 3.40 or newer, likewise
#   confab::sodium   libsodium 1.0.18 or newer, likewise
# The sources are brought by scripts/deps.sh.

set(CONFAB_DEPS_DIR "$ENV{CONFAB_DEPS_DIR}" CACHE PATH "Where scripts/deps.sh has put the sources")
if(NOT CONFAB_DEPS_DIR)
    if(DEFINED ENV{XDG_CACHE_HOME})
        set(CONFAB_DEPS_DIR "$ENV{XDG_CACHE_HOME}/confab/src" CACHE PATH "" FORCE)
    else()
        set(CONFAB_DEPS_DIR "$ENV{HOME}/.cache/confab/src" CACHE PATH "" FORCE)
    endif()
endif()

function(confab_need_source name)
    if(NOT EXISTS "${CONFAB_DEPS_DIR}/${name}/CMakeLists.txt" AND
       NOT EXISTS "${CONFAB_DEPS_DIR}/${name}/${name}.c" AND
       NOT EXISTS "${CONFAB_DEPS_DIR}/${name}/src/${name}")
        message(FATAL_ERROR
            "No source of ${name} in ${CONFAB_DEPS_DIR}: run scripts/deps.sh "
            "(for a Windows build: scripts/deps.sh --windows) and configure again.")
    endif()
endfunction()

# Third-party code is compiled with the sanitizers of the build but not with our warnings.
function(confab_quiet)
    foreach(target IN LISTS ARGN)
        target_compile_options(${target} PRIVATE -w)
    endforeach()
endfunction()

# mbedTLS's ecp.c, or rather a copy of it, asks proto/crypto/ecp_x25519.c first where it would multiply
# on Curve25519: no configuration of the library reaches that place. Where a newer source has
# another text there, it is used as it is.
function(confab_patch_ecp)
    set(source "${CONFAB_DEPS_DIR}/mbedtls/library/ecp.c")
    set(copy "${CMAKE_BINARY_DIR}/deps/patched/ecp.c")
    set(anchor "    /* Save PX and read from P before writing to R, in case P == R */\n")
    file(READ "${source}" text)
    string(FIND "${text}" "${anchor}" first)
    string(FIND "${text}" "${anchor}" last REVERSE)
    get_target_property(sources mbedcrypto SOURCES)
    list(TRANSFORM sources REPLACE "^ecp\\.c$" "${copy}")
    if(first EQUAL -1 OR NOT first EQUAL last OR NOT copy IN_LIST sources)
        message(WARNING "This mbedTLS has another ecp.c than expected: TLS 1.3 goes without "
            "Everest's X25519, and handshakes take twice as long.")
        set(CONFAB_FAST_X25519 OFF PARENT_SCOPE)
        return()
    endif()

    string(CONCAT call
        "    if (ecp_x25519_can(grp, P)) {\n"
        "        return ecp_x25519_mul(R, m, P, f_rng, p_rng);\n"
        "    }\n\n")
    string(REPLACE "${anchor}" "${call}${anchor}" text "${text}")
    file(WRITE "${copy}.new"
        "#include \"common.h\"\n#include \"crypto/ecp_x25519.h\"\n#line 1 \"${source}\"\n${text}")
    configure_file("${copy}.new" "${copy}" COPYONLY)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${source}")
    set_target_properties(mbedcrypto PROPERTIES SOURCES "${sources}")
    set_source_files_properties("${copy}" TARGET_DIRECTORY mbedcrypto
        PROPERTIES INCLUDE_DIRECTORIES "${PROJECT_SOURCE_DIR}/proto")
endfunction()

# --- mbedTLS ---------------------------------------------------------------------------------
if(CONFAB_SYSTEM_MBEDTLS)
    # For people who build on Windows itself with vcpkg; not exercised by our tests.
    find_package(MbedTLS 3.6 REQUIRED)
    add_library(confab_mbedtls INTERFACE)
    target_link_libraries(confab_mbedtls INTERFACE
        MbedTLS::mbedtls MbedTLS::mbedx509 MbedTLS::mbedcrypto)
else()
    confab_need_source(mbedtls)

    # Only where it is built and tested; elsewhere, and where the processor turns out to lack the
    # instructions, it is mbedTLS's own code (on arm64 with the instructions of that processor).
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64" AND CMAKE_SIZEOF_VOID_P EQUAL 8
            AND CMAKE_SYSTEM_NAME MATCHES "Linux|Windows"
            AND CMAKE_C_COMPILER_ID MATCHES "^(GNU|Clang)$")
        set(fast_x86 ON)
    else()
        set(fast_x86 OFF)
    endif()
    option(CONFAB_FAST_GCM "AES-GCM with eight blocks in flight (proto/crypto)" ${fast_x86})
    option(CONFAB_FAST_SHA256 "SHA-256 with the processor's instructions (proto/crypto)" ${fast_x86})
    if(CMAKE_SIZEOF_VOID_P EQUAL 8 AND CMAKE_C_COMPILER_ID MATCHES "^(GNU|Clang|AppleClang)$")
        set(fast_p256 ON)
    else()
        set(fast_p256 OFF)
    endif()
    option(CONFAB_FAST_P256 "P-256's points and inversions in four limbs (proto/crypto)"
        ${fast_p256})
    option(CONFAB_FAST_X25519 "Everest's X25519 in TLS 1.3 too (proto/crypto)" ON)

    set(ENABLE_PROGRAMS OFF CACHE BOOL "" FORCE)
    set(ENABLE_TESTING OFF CACHE BOOL "" FORCE)
    set(MBEDTLS_FATAL_WARNINGS OFF CACHE BOOL "" FORCE)
    set(GEN_FILES OFF CACHE BOOL "" FORCE)
    set(CMAKE_POLICY_DEFAULT_CMP0077 NEW)
    add_subdirectory("${CONFAB_DEPS_DIR}/mbedtls" "${CMAKE_BINARY_DIR}/deps/mbedtls"
        EXCLUDE_FROM_ALL)
    set(mbedtls_dir "${CONFAB_DEPS_DIR}/mbedtls")
    foreach(target IN ITEMS mbedtls mbedx509 mbedcrypto everest p256m)
        # Everything that includes an mbedTLS header has to see the same configuration.
        target_compile_definitions(${target} PUBLIC
            MBEDTLS_USER_CONFIG_FILE="mbedtls_user_config.h"
            $<$<BOOL:${CONFAB_FAST_GCM}>:CONFAB_FAST_GCM>
            $<$<BOOL:${CONFAB_FAST_P256}>:CONFAB_FAST_P256>
            $<$<BOOL:${CONFAB_FAST_SHA256}>:CONFAB_FAST_SHA256>)
        target_include_directories(${target} BEFORE PUBLIC
            "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/cmake/mbedtls>")
        # System headers for those who use it, so that our warnings are about our own code.
        get_target_property(dirs ${target} INTERFACE_INCLUDE_DIRECTORIES)
        set_target_properties(${target} PROPERTIES INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${dirs}")
    endforeach()
    confab_quiet(mbedtls mbedx509 mbedcrypto everest p256m)

    # AES-NI through intrinsics instead of one-block assembler: a third faster. The two files
    # need the same flags, because the alignment of round keys depends on them; whether the
    # processor has the instructions is still asked at run time.
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
        set_source_files_properties(
            "${mbedtls_dir}/library/aes.c" "${mbedtls_dir}/library/aesni.c"
            TARGET_DIRECTORY mbedcrypto
            PROPERTIES COMPILE_OPTIONS "-mssse3;-maes;-mpclmul")
    endif()
    if(CONFAB_FAST_X25519)
        confab_patch_ecp()
    endif()
    # Two files call another function than they say; all else of the library calls its own. Behind
    # the patch, which takes the place of one of them.
    if(CONFAB_FAST_P256)
        set_source_files_properties(
            "${mbedtls_dir}/library/ecp.c" "${CMAKE_BINARY_DIR}/deps/patched/ecp.c"
            "${mbedtls_dir}/library/ecdsa.c" TARGET_DIRECTORY mbedcrypto
            PROPERTIES COMPILE_DEFINITIONS "mbedtls_mpi_gcd_modinv_odd=ecp_inverse")
    endif()
    if(CONFAB_FAST_GCM OR CONFAB_FAST_SHA256 OR CONFAB_FAST_X25519 OR CONFAB_FAST_P256)
        add_subdirectory(proto/crypto)
    endif()
    if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo" OR CMAKE_BUILD_TYPE STREQUAL "Release")
        target_compile_options(everest PRIVATE -O3)
        # The arithmetic of signatures: loops over few limbs. mbedTLS hides from every compiler what
        # must not become a branch, so that a level makes no difference to that.
        set(arithmetic bignum.c bignum_core.c ecp.c ecp_curves.c)
        list(TRANSFORM arithmetic PREPEND "${mbedtls_dir}/library/")
        set_source_files_properties(${arithmetic} "${CMAKE_BINARY_DIR}/deps/patched/ecp.c"
            TARGET_DIRECTORY mbedcrypto PROPERTIES COMPILE_OPTIONS -O3)
    endif()

    add_library(confab_mbedtls INTERFACE)
    target_link_libraries(confab_mbedtls INTERFACE mbedtls mbedx509 mbedcrypto)
    if(WIN32)
        target_link_libraries(confab_mbedtls INTERFACE ws2_32 bcrypt)
    endif()
endif()
add_library(confab::mbedtls ALIAS confab_mbedtls)

# --- cJSON -----------------------------------------------------------------------------------
find_package(PkgConfig QUIET)
if(PkgConfig_FOUND AND NOT CMAKE_CROSSCOMPILING)
    pkg_check_modules(CJSON QUIET IMPORTED_TARGET libcjson>=1.7.15)
    pkg_check_modules(UV QUIET IMPORTED_TARGET libuv>=1.44)
    pkg_check_modules(SQLITE QUIET IMPORTED_TARGET sqlite3>=3.40)
    pkg_check_modules(SODIUM QUIET IMPORTED_TARGET libsodium>=1.0.18)
endif()
add_library(confab_cjson INTERFACE)
if(TARGET PkgConfig::CJSON)
    target_link_libraries(confab_cjson INTERFACE PkgConfig::CJSON)
else()
    confab_need_source(cjson)
    # One source file: compiled here, which spares its CMake options.
    add_library(cjson_static STATIC "${CONFAB_DEPS_DIR}/cjson/cJSON.c")
    set(cjson_include "${CMAKE_BINARY_DIR}/deps/cjson/include")
    configure_file("${CONFAB_DEPS_DIR}/cjson/cJSON.h" "${cjson_include}/cjson/cJSON.h" COPYONLY)
    target_include_directories(cjson_static PUBLIC "$<BUILD_INTERFACE:${cjson_include}>")
    target_compile_definitions(cjson_static PUBLIC CJSON_HIDE_SYMBOLS)
    confab_quiet(cjson_static)
    target_link_libraries(confab_cjson INTERFACE cjson_static)
endif()
add_library(confab::cjson ALIAS confab_cjson)

# --- libuv -----------------------------------------------------------------------------------
add_library(confab_uv INTERFACE)
if(TARGET PkgConfig::UV)
    target_link_libraries(confab_uv INTERFACE PkgConfig::UV)
else()
    confab_need_source(libuv)
    set(LIBUV_BUILD_SHARED OFF CACHE BOOL "" FORCE)
    set(LIBUV_BUILD_TESTS OFF CACHE BOOL "" FORCE)
    set(BUILD_TESTING_SAVED "${BUILD_TESTING}")
    add_subdirectory("${CONFAB_DEPS_DIR}/libuv" "${CMAKE_BINARY_DIR}/deps/libuv" EXCLUDE_FROM_ALL)
    set(BUILD_TESTING "${BUILD_TESTING_SAVED}" CACHE BOOL "" FORCE)
    confab_quiet(uv_a)
    target_link_libraries(confab_uv INTERFACE uv_a)
endif()
add_library(confab::uv ALIAS confab_uv)

# --- SQLite ----------------------------------------------------------------------------------
add_library(confab_sqlite INTERFACE)
if(TARGET PkgConfig::SQLITE)
    target_link_libraries(confab_sqlite INTERFACE PkgConfig::SQLITE)
else()
    confab_need_source(sqlite3)
    add_library(sqlite3_static STATIC "${CONFAB_DEPS_DIR}/sqlite3/sqlite3.c")
    # Each handle is used by one thread at a time (2); no extensions from files.
    target_compile_definitions(sqlite3_static PRIVATE
        SQLITE_THREADSAFE=2 SQLITE_DQS=0 SQLITE_ENABLE_FTS5 SQLITE_OMIT_LOAD_EXTENSION
        SQLITE_OMIT_DEPRECATED SQLITE_OMIT_SHARED_CACHE SQLITE_DEFAULT_MEMSTATUS=0)
    target_include_directories(sqlite3_static SYSTEM PUBLIC
        "$<BUILD_INTERFACE:${CONFAB_DEPS_DIR}/sqlite3>")
    confab_quiet(sqlite3_static)
    target_link_libraries(confab_sqlite INTERFACE sqlite3_static)
endif()
add_library(confab::sqlite ALIAS confab_sqlite)

# --- libsodium -------------------------------------------------------------------------------
add_library(confab_sodium INTERFACE)
if(TARGET PkgConfig::SODIUM)
    target_link_libraries(confab_sodium INTERFACE PkgConfig::SODIUM)
else()
    confab_need_source(libsodium)
    # Its configure script is not in every source package (Debian 13's has none), so its sources
    # are compiled here, with what that script finds on the systems that we build for. All of
    # them: what is not called is not linked. The assembler files stay out.
    set(sodium_dir "${CONFAB_DEPS_DIR}/libsodium")
    set(sodium_include "${CMAKE_BINARY_DIR}/deps/libsodium/include")
    file(GLOB_RECURSE sodium_sources "${sodium_dir}/src/libsodium/*.c")
    add_library(sodium_static STATIC EXCLUDE_FROM_ALL ${sodium_sources})
    # Its headers, with the generated one as upstream keeps it for compilers without configure.
    file(COPY "${sodium_dir}/src/libsodium/include/" DESTINATION "${sodium_include}"
        FILES_MATCHING PATTERN "*.h")
    configure_file("${sodium_dir}/builds/msvc/version.h" "${sodium_include}/sodium/version.h"
        COPYONLY)
    target_include_directories(sodium_static
        SYSTEM PUBLIC "$<BUILD_INTERFACE:${sodium_include}>" PRIVATE "${sodium_include}/sodium")
    target_compile_definitions(sodium_static PUBLIC SODIUM_STATIC=1 PRIVATE CONFIGURED=1
        NATIVE_LITTLE_ENDIAN=1 HAVE_ATOMIC_OPS=1 HAVE_C11_MEMORY_FENCES=1
        HAVE_GCC_MEMORY_FENCES=1 HAVE_INLINE_ASM=1 HAVE_TI_MODE=1)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
        # Which of these the processor has is asked at run time. No AVX: gcc spills its registers
        # to a stack that is aligned to 16 bytes only on Windows, and the program crashes
        # (gcc's bug 54412); libsodium's own configure script would switch it on.
        target_compile_definitions(sodium_static PRIVATE HAVE_CPUID=1 HAVE_MMINTRIN_H=1
            HAVE_EMMINTRIN_H=1 HAVE_PMMINTRIN_H=1 HAVE_TMMINTRIN_H=1 HAVE_SMMINTRIN_H=1)
    endif()
    if(UNIX)
        target_compile_definitions(sodium_static PRIVATE HAVE_PTHREAD=1 HAVE_WEAK_SYMBOLS=1
            HAVE_EXPLICIT_BZERO=1 HAVE_GETPID=1 HAVE_NANOSLEEP=1 HAVE_SYS_RANDOM_H=1
            HAVE_GETRANDOM=1 HAVE_SYS_PARAM_H=1 HAVE_SYS_MMAN_H=1 HAVE_MMAP=1 HAVE_MPROTECT=1
            HAVE_MLOCK=1 HAVE_MADVISE=1 HAVE_POSIX_MEMALIGN=1)
    endif()
    target_compile_options(sodium_static PRIVATE -fno-strict-aliasing -fno-strict-overflow)
    confab_quiet(sodium_static)
    if(WIN32)
        target_link_libraries(sodium_static PUBLIC advapi32)
    endif()
    target_link_libraries(confab_sodium INTERFACE sodium_static)
endif()
add_library(confab::sodium ALIAS confab_sodium)
find_package(Threads REQUIRED)
