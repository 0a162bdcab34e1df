# Flags for our own code and, where they must match, for everything that is linked with it.

find_program(CCACHE ccache)
if(CCACHE)
    set(CMAKE_C_COMPILER_LAUNCHER "${CCACHE}")
endif()

# assert() guards against our own mistakes in releases too: peer input never reaches one.
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELWITHDEBINFO "${CMAKE_C_FLAGS_RELWITHDEBINFO}")
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELEASE "${CMAKE_C_FLAGS_RELEASE}")

if(CONFAB_SANITIZE)
    add_compile_options(-fsanitize=${CONFAB_SANITIZE} -fno-omit-frame-pointer -O1)
    add_link_options(-fsanitize=${CONFAB_SANITIZE})
    if(CONFAB_SANITIZE MATCHES "undefined")
        add_compile_options(-fno-sanitize-recover=undefined)
    endif()
elseif(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    add_compile_definitions(_FORTIFY_SOURCE=2)
endif()
add_compile_options(-fstack-protector-strong)
add_link_options(-fstack-protector-strong)

if(WIN32)
    # Windows 10: the first with everything used here.
    add_compile_definitions(_WIN32_WINNT=0x0A00 WIN32_LEAN_AND_MEAN UNICODE _UNICODE
        __USE_MINGW_ANSI_STDIO=1)
    add_link_options(-static)
else()
    add_compile_definitions(_GNU_SOURCE)
    if(NOT APPLE)
        add_link_options(-Wl,-z,relro,-z,now)
    endif()
endif()

# Called for every target of ours.
function(confab_own target)
    target_compile_options(${target} PRIVATE
        -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes
        -Wpointer-arith -Wcast-qual -Wwrite-strings -Wvla -Wformat=2 -Wundef
        -Wimplicit-fallthrough -Wdouble-promotion)
    if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
        target_compile_options(${target} PRIVATE -Wlogical-op -Wduplicated-cond)
    endif()
    if(WIN32)
        # Kernel codes of <windows.h>, STATUS_TIMEOUT among them, would hide our own.
        target_compile_definitions(${target} PRIVATE WIN32_NO_STATUS)
    endif()
    if(CONFAB_WERROR)
        target_compile_options(${target} PRIVATE -Werror)
    endif()
    # Calls that cannot be used safely do not compile.
    target_compile_options(${target} PRIVATE
        -include "${PROJECT_SOURCE_DIR}/proto/base/banned.h")
endfunction()
