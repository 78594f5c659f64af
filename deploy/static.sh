#!/bin/sh
# Builds the program that goes into the image: static, so that the image holds nothing else.
# Prints its size as it is run and as it is pulled: an image's layers travel as gzip.
set -eu
cd "$(dirname "$0")/.."
target=x86_64-unknown-linux-gnu
# glibc, linked in: its resolver reads /etc/resolv.conf and /etc/hosts by itself since 2.34.
# Relocations of a program that may lie anywhere take a megabyte as a list, next to nothing packed;
# functions that came out alike stand once. Tables for unwinding are smaller with frame pointers.
RUSTFLAGS="-C target-feature=+crt-static -C force-frame-pointers=yes -C link-arg=-Wl,-z,pack-relative-relocs -C link-arg=-Wl,--icf=all" \
  cargo build --locked --profile dist --target "$target" --package taffrail
program=target/$target/dist/taffrail
if ldd "$program" 2>&1 | grep -q '=>'; then echo "$program is not static" >&2; exit 1; fi
size=$(stat -c %s "$program")
pulled=$(gzip -c "$program" | wc -c)
echo "$program $size bytes, $pulled as gzip"
[ "$size" -le 20000000 ] || echo "more than 20 MB: look at what grew" >&2
