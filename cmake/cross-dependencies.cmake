# Header-only copies of our libraries and SQLite's amalgamation, in the prefix that tools/cross-freebsd laid out.
set(JAILD_CROSS_INCLUDE ${JAILD_DEPENDENCIES}/include)
add_library(jaild_cross_headers INTERFACE)
target_include_directories(jaild_cross_headers SYSTEM INTERFACE ${JAILD_CROSS_INCLUDE})

target_link_libraries(jaild_json INTERFACE jaild_cross_headers)
target_link_libraries(jaild_log INTERFACE jaild_cross_headers)
target_compile_definitions(jaild_log INTERFACE SPDLOG_HEADER_ONLY SPDLOG_FMT_EXTERNAL FMT_HEADER_ONLY)
target_link_libraries(jaild_asio INTERFACE jaild_cross_headers Threads::Threads)
target_link_libraries(jaild_cli11 INTERFACE jaild_cross_headers)
target_link_libraries(jaild_toml INTERFACE jaild_cross_headers)

add_library(jaild_sqlite_amalgamation STATIC ${JAILD_DEPENDENCIES}/sqlite/sqlite3.c)
target_include_directories(jaild_sqlite_amalgamation SYSTEM PUBLIC ${JAILD_DEPENDENCIES}/sqlite)
target_compile_definitions(jaild_sqlite_amalgamation PRIVATE SQLITE_THREADSAFE=2 SQLITE_OMIT_LOAD_EXTENSION)
target_compile_options(jaild_sqlite_amalgamation PRIVATE -O2 -w)
target_link_libraries(jaild_sqlite_amalgamation PUBLIC Threads::Threads)
target_link_libraries(jaild_sqlite INTERFACE jaild_sqlite_amalgamation)

# libarchive is in FreeBSD's base system, the toolchain does not have it: a library of the same name that has nothing but
# the names of what jaild-archive calls. The real one takes its place when the program starts.
set(names ${PROJECT_SOURCE_DIR}/cmake/libarchive-names)
file(STRINGS ${names} functions REGEX "^archive_")
set(text "/* Made of cmake/libarchive-names. */\n")
foreach(function ${functions})
  string(APPEND text "void ${function}(void) {}\n")
endforeach()
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/libarchive-names/libarchive.c CONTENT "${text}" @ONLY)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${names})
add_library(jaild_libarchive_names SHARED ${PROJECT_BINARY_DIR}/libarchive-names/libarchive.c)
set_target_properties(jaild_libarchive_names PROPERTIES OUTPUT_NAME archive SOVERSION 7 UNITY_BUILD OFF
  LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/libarchive-names BUILD_WITH_INSTALL_RPATH ON)
target_link_libraries(jaild_libarchive INTERFACE jaild_cross_headers jaild_libarchive_names)

# The toolchain has no OpenSSL; a real base system has. Of that only what is named here is taken: its C library's headers
# are another release's than the toolchain's.
if(JAILD_SYSROOT)
  set(include ${PROJECT_BINARY_DIR}/sysroot/include)
  set(libraries ${JAILD_SYSROOT}/usr/lib/libssl.so ${JAILD_SYSROOT}/usr/lib/libcrypto.so)
  file(MAKE_DIRECTORY ${include})
  file(CREATE_LINK ${JAILD_SYSROOT}/usr/include/openssl ${include}/openssl SYMBOLIC)
  include(CheckCXXSourceCompiles)
  unset(JAILD_SYSROOT_HAS_OPENSSL CACHE)  # each time: it is another sysroot's answer, or was mended
  set(CMAKE_REQUIRED_INCLUDES ${include})
  set(CMAKE_REQUIRED_LIBRARIES ${libraries})
  check_cxx_source_compiles("#include <openssl/ssl.h>
    int main() { return OPENSSL_init_ssl(0, nullptr) == 1 ? 0 : 1; }" JAILD_SYSROOT_HAS_OPENSSL)
  if(NOT JAILD_SYSROOT_HAS_OPENSSL)
    message(FATAL_ERROR "programs cannot be linked with the OpenSSL of ${JAILD_SYSROOT}")
  endif()
  target_include_directories(jaild_tls SYSTEM INTERFACE ${include})
  target_link_libraries(jaild_tls INTERFACE ${libraries})
  target_compile_definitions(jaild_tls INTERFACE JAILD_WITH_TLS=1)
endif()

add_library(Catch2::Catch2 INTERFACE IMPORTED GLOBAL)
target_link_libraries(Catch2::Catch2 INTERFACE jaild_cross_headers)
set(Catch2_FOUND ON)
