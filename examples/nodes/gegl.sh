#!/bin/sh
# Restores the pictures of a folder with the command gegl:
#
#     sh gegl.sh photos restored
#
# What follows is for the operation, such as: sh gegl.sh photos restored kds:upscale scale=2 seed=7
if [ $# -lt 2 ]; then
    echo "usage: $0 FOLDER RESULTS [OPERATION PROPERTY=VALUE...]" >&2
    exit 2
fi
from=$1 to=$2
shift 2
[ $# -gt 0 ] || set -- kds:restore
mkdir -p "$to" || exit 1
failed=0
for picture in "$from"/*.png "$from"/*.jpg "$from"/*.jpeg "$from"/*.tif; do
    [ -e "$picture" ] || continue
    name=$(basename "$picture")
    result=$to/${name%.*}.png
    messages=$(gegl "$picture" -o "$result" -- "$@" 2>&1)
    # gegl itself ends well whatever happened: an operation that cannot compute says so and passes its input on.
    case $messages in
        *"passed on as it is"*)
            printf '%s\n' "$messages" | grep 'passed on as it is' >&2
            rm -f "$result"
            failed=1
            ;;
        *) echo "$result" ;;
    esac
done
exit $failed
