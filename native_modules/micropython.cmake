# picorl's kernels as a user C module for ports built with CMake: -DUSER_C_MODULES=<this file>

find_package(Python3 REQUIRED COMPONENTS Interpreter)
execute_process(
    COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/generate.py --out ${CMAKE_CURRENT_LIST_DIR}/generated
    RESULT_VARIABLE picorl_generate_result
)
if(NOT picorl_generate_result EQUAL 0)
    message(FATAL_ERROR "picorl: native_modules/generate.py failed")
endif()

# The binding is scanned for QSTRs, so it belongs to `usermod` itself.
add_library(usermod_picorl INTERFACE)
target_sources(usermod_picorl INTERFACE ${CMAKE_CURRENT_LIST_DIR}/generated/user_module.c)
target_include_directories(usermod_picorl INTERFACE ${CMAKE_CURRENT_LIST_DIR})
target_link_libraries(usermod INTERFACE usermod_picorl)

# The kernels' own flags, whatever the port's are. No contraction: results must not depend on what a compiler likes to fuse.
# -O3 would add 2 KB and win 0.1 %: what pays is unrolled by hand.
target_sources(usermod_picorl INTERFACE ${CMAKE_CURRENT_LIST_DIR}/core/single.c)
set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/core/single.c PROPERTIES
    COMPILE_OPTIONS "-O2;-std=gnu99;-ffp-contract=off;-fno-math-errno;-fno-strict-aliasing;-Wno-psabi"
)
