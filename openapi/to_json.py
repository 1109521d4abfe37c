#!/usr/bin/env python3
"""Turns openapi/jaild.yaml into a C++ source: the document as JSON, which GET /openapi.json answers.

usage: to_json.py jaild.yaml VERSION OUTPUT.cpp
"""
import json
import sys

import yaml

# Below what every compiler takes as one literal.
PIECE = 8000


def main() -> int:
    source, version, output = sys.argv[1:]
    with open(source, encoding="utf-8") as file:
        document = yaml.safe_load(file)
    document["info"]["version"] = version
    text = json.dumps(document, ensure_ascii=True, separators=(",", ":"))
    pieces = [text[at : at + PIECE] for at in range(0, len(text), PIECE)]
    with open(output, "w", encoding="utf-8") as file:
        file.write('#include "api/v1/openapi_document.h"\n\n#include <array>\n#include <string_view>\n\n')
        file.write("namespace jaild::api {\n\nstd::string openapi_document() {\n")
        file.write(f"    static constexpr std::array<std::string_view, {len(pieces)}> kPieces{{\n")
        for piece in pieces:
            file.write(f'        R"openapi({piece})openapi",\n')
        file.write("    };\n    std::string text;\n    for (const auto piece : kPieces) text += piece;\n")
        file.write("    return text;\n}\n\n}  // namespace jaild::api\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
