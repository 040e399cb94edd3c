# picorl's kernels as a user C module for ports built with CMake: -DUSER_C_MODULES=<this file>

find_package(Python3 REQUIRED COMPONENTS Interpreter)
# -DPICORL_ALGORITHMS="sac ppo": without the kernels that only others need.
execute_process(
    COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/generate.py --out ${CMAKE_CURRENT_LIST_DIR}/generated
            --algorithms "${PICORL_ALGORITHMS}"
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

# -DPICORL_ARENA=<bytes>: memory for agents' buffers that the garbage collector does not scan (arena.h). An agent refers to more
# objects than the collector's stack has room for, 64; that would make it look through the whole heap once more.
if(PICORL_ARENA)
    target_compile_definitions(usermod_picorl INTERFACE PICORL_ARENA=${PICORL_ARENA} MICROPY_ALLOC_GC_STACK_SIZE=256)
    list(APPEND MICROPY_CPP_DEF_EXTRA PICORL_ARENA=${PICORL_ARENA}) # for the scan for QSTRs
endif()

# The kernels' own flags, whatever the port's are. No contraction: results must not depend on what a compiler likes to fuse.
# -O3 would add 2 KB and win 0.1 %: what pays is unrolled by hand.
set(picorl_options -O2 -std=gnu99 -ffp-contract=off -fno-math-errno -fno-strict-aliasing -Wno-psabi)
set(picorl_core ${CMAKE_CURRENT_LIST_DIR}/core/single.c)

if(PICO_RP2040)
    # The Pico SDK has the linker replace the compiler's float routines by those of the ROM, which take subnormal numbers
    # for zero: other bits than on every other target. So the kernels bring the compiler's along, for themselves alone.
    set(picorl_object ${CMAKE_CURRENT_BINARY_DIR}/picorl_kernels.o)
    add_library(picorl_core OBJECT ${picorl_core})
    target_include_directories(picorl_core PRIVATE ${CMAKE_CURRENT_LIST_DIR})
    target_compile_options(picorl_core PRIVATE ${picorl_options} -ffunction-sections)
    separate_arguments(picorl_flags UNIX_COMMAND "${CMAKE_C_FLAGS}")
    add_custom_command(
        OUTPUT ${picorl_object}
        COMMAND ${CMAKE_C_COMPILER} ${picorl_flags} -r -nostdlib -o ${picorl_object} $<TARGET_OBJECTS:picorl_core> -lgcc
        COMMAND ${CMAKE_OBJCOPY} --wildcard --keep-global-symbol=picorl_* ${picorl_object}
        DEPENDS picorl_core $<TARGET_OBJECTS:picorl_core>
        COMMAND_EXPAND_LISTS
        VERBATIM
    )
    set_source_files_properties(${picorl_object} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
    target_sources(usermod_picorl INTERFACE ${picorl_object})
else()
    target_sources(usermod_picorl INTERFACE ${picorl_core})
    set_source_files_properties(${picorl_core} PROPERTIES COMPILE_OPTIONS "${picorl_options}")
endif()
