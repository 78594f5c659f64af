#!/bin/sh
# Builds the program that goes into the image: static, so that the image holds nothing else.
# Prints its size in bytes; 20 MiB are aimed at.
set -eu
cd "$(dirname "$0")/.."
target=x86_64-unknown-linux-gnu
# glibc, linked in: its resolver reads /etc/resolv.conf and /etc/hosts by itself since 2.34.
# Relocations of a program that may lie anywhere take a megabyte as a list, next to nothing packed.
RUSTFLAGS="-C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs" \
  cargo build --locked --profile dist --target "$target" --package taffrail
program=target/$target/dist/taffrail
if ldd "$program" 2>&1 | grep -q '=>'; then echo "$program is not static" >&2; exit 1; fi
size=$(stat -c %s "$program")
echo "$program $size bytes"
[ "$size" -le 20971520 ] || echo "more than 20 MiB: look at what grew" >&2
