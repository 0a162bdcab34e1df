# Tests written in Python, on the harness in e2e/harness: they start real programs.
#
#   confab_python_test(NAME LABELS SCRIPT ARGUMENT…)   one entry
#   confab_python_tests(LABELS SCRIPT)                 an entry for each function e2e__… of it
#   confab_pairing_tests(PAIR LABELS SCRIPT VARIABLE=PROGRAM)
#       in a Windows build: the same once more with one of the programs exchanged for the native
#       one; the entries' names say PAIR in place of their area

# The system's own first: a wrapper found earlier in the path may take longer than the test.
find_program(CONFAB_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH)
find_program(CONFAB_PYTHON NAMES python3 python REQUIRED)

set(CONFAB_NATIVE_BUILD_DIR "${CMAKE_BINARY_DIR}/../release" CACHE PATH
    "In a Windows build: a build for this system, whose programs meet the Windows ones")

set(confab_test_environment
    "PYTHONPATH=${CMAKE_CURRENT_SOURCE_DIR}/e2e/harness"
    "PYTHONPYCACHEPREFIX=${CMAKE_BINARY_DIR}/pycache"
    "CONFAB_BUILD=${CMAKE_BINARY_DIR}"
    "CONFAB_SOURCE=${PROJECT_SOURCE_DIR}"
    "CONFAB_SANITIZE=${CONFAB_SANITIZE}")
foreach(pair IN ITEMS SERVER=confab-server CLIENT=confab CERTS=confab-certs TABLES=confab-tables)
    string(REPLACE "=" ";" pair ${pair})
    list(GET pair 0 variable)
    list(GET pair 1 target)
    if(TARGET ${target})
        list(APPEND confab_test_environment "CONFAB_${variable}=$<TARGET_FILE:${target}>")
    endif()
endforeach()
if(WIN32)
    list(APPEND confab_test_environment
        "CONFAB_WINE=${PROJECT_SOURCE_DIR}/cmake/wine.sh"
        "CONFAB_NATIVE_SERVER=${CONFAB_NATIVE_BUILD_DIR}/server/confab-server"
        "CONFAB_NATIVE_CLIENT=${CONFAB_NATIVE_BUILD_DIR}/client/cli/confab")
endif()

function(confab_python_test name labels script)
    add_test(NAME ${name} COMMAND "${CONFAB_PYTHON}" "${script}" ${ARGN})
    set_tests_properties(${name} PROPERTIES LABELS "${labels}" TIMEOUT 120 SKIP_RETURN_CODE 77
        ENVIRONMENT "${confab_test_environment}")
    confab_under_wine(${name})
endfunction()

function(confab_python_tests labels script)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${script}")
    file(STRINGS "${script}" lines REGEX "^def e2e__")
    foreach(line IN LISTS lines)
        string(REGEX REPLACE "^def ([a-z0-9_]+).*" "\\1" case "${line}")
        confab_python_test(${case} "${labels}" "${script}" ${case})
    endforeach()
endfunction()

function(confab_pairing_tests pair labels script exchange)
    if(NOT WIN32)
        return()
    endif()
    file(STRINGS "${script}" lines REGEX "^def e2e__")
    foreach(line IN LISTS lines)
        string(REGEX REPLACE "^def ([a-z0-9_]+).*" "\\1" case "${line}")
        string(REGEX REPLACE "^e2e__[a-z0-9]+__" "e2e__${pair}__" name "${case}")
        confab_python_test(${name} "${labels}" "${script}" ${case})
        set_property(TEST ${name} APPEND PROPERTY ENVIRONMENT "${exchange}")
    endforeach()
endfunction()
