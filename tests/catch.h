#pragma once

/// Catch2, whichever version the system has: v3 brings catch_all.hpp, v2 one header.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
