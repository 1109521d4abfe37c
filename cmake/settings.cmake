# What every target of ours is compiled with.
add_library(jaild_settings INTERFACE)
target_include_directories(jaild_settings INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_definitions(jaild_settings INTERFACE JAILD_VERSION="${PROJECT_VERSION}")
target_compile_options(jaild_settings INTERFACE -Wall -Wextra -Wconversion -Wshadow -Werror)
# A designated initializer names what differs from the defaults.
target_compile_options(jaild_settings INTERFACE -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports false dangling and uninitialized uses inside std::expected, std::variant and fmt at -O2.
  target_compile_options(jaild_settings INTERFACE -Wno-maybe-uninitialized -Wno-restrict)
endif()
if(CMAKE_UNITY_BUILD)
  # tools/test and tools/cross-freebsd compile several sources at once: about a quarter of the time. More than 12 is no
  # faster and takes too much memory for two at once under the sanitizers.
  set(CMAKE_UNITY_BUILD_BATCH_SIZE 12)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(jaild_settings INTERFACE -Wno-subobject-linkage)  # means headers: takes sources for such
  else()
    target_compile_options(jaild_settings INTERFACE -Wno-shadow)  # another source's constant is no shadow
  endif()
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND JAILD_DEPENDENCIES)
  # The cross toolchain hands libc++'s own headers over as ours.
  target_compile_options(jaild_settings INTERFACE -Wno-nullability-completeness)
endif()
if(JAILD_SANITIZE)
  target_compile_options(jaild_settings INTERFACE -fsanitize=${JAILD_SANITIZE} -fno-omit-frame-pointer -O1 -g)
  target_link_options(jaild_settings INTERFACE -fsanitize=${JAILD_SANITIZE})
  if(JAILD_SANITIZE MATCHES "undefined")
    # GCC 12's vptr check takes Catch's expressions for objects that they are not.
    target_compile_options(jaild_settings INTERFACE -fno-sanitize-recover=undefined -fno-sanitize=vptr)
  endif()
  if(JAILD_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(jaild_settings INTERFACE -Wno-error=tsan)  # Asio's fences
  endif()
endif()

# jaild_library(NAME DIR LINKS…): a static library of all sources directly in a folder.
function(jaild_library name directory)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${directory}/*.cpp)
  if(sources)
    add_library(${name} STATIC ${sources})
    target_link_libraries(${name} PUBLIC jaild_settings ${ARGN})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE jaild_settings ${ARGN})
  endif()
endfunction()
