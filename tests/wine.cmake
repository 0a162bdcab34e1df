# In a Windows build on another system the tests run under Wine, which is started once before the
# first of them and ended after the last: services started along with a program would otherwise
# keep that program's pipes open.

if(CMAKE_CROSSCOMPILING AND WIN32)
    set(wine "${PROJECT_SOURCE_DIR}/tests/wine.sh")
    add_test(NAME wine__start__before_tests COMMAND "${wine}" start)
    add_test(NAME wine__stop__after_tests COMMAND "${wine}" stop)
    set_tests_properties(wine__start__before_tests PROPERTIES FIXTURES_SETUP wine TIMEOUT 120)
    set_tests_properties(wine__stop__after_tests PROPERTIES FIXTURES_CLEANUP wine TIMEOUT 60)
endif()

# A test that needs it.
function(confab_under_wine name)
    if(CMAKE_CROSSCOMPILING AND WIN32)
        set_property(TEST ${name} APPEND PROPERTY FIXTURES_REQUIRED wine)
    endif()
endfunction()
