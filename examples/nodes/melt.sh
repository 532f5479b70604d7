#!/bin/sh
# Restores a clip with melt, of MLT 7.38 or newer:
#
#     sh melt.sh clip.mp4 restored.mp4
#
# What follows are parameters, such as: sh melt.sh clip.mp4 restored.mp4 particles=2 seed=7
if [ $# -lt 2 ]; then
    echo "usage: $0 CLIP RESULT [PARAMETER=VALUE...]" >&2
    exit 2
fi
from=$1 to=$2
shift 2
filter=openfx.io.github.kds-restore.restore
# Where 'cargo xtask install --nodes' puts it.
OFX_PLUGIN_PATH=${OFX_PLUGIN_PATH:-$HOME/.local/share/kds/lib/OFX}
export OFX_PLUGIN_PATH
# melt goes on without a filter that it does not know.
if ! melt -query filters 2>&1 | grep -q "$filter"; then
    echo "melt finds no $filter: install KDS, or set OFX_PLUGIN_PATH to the folder of kds.ofx.bundle" >&2
    exit 1
fi
# real_time=-1: every frame is rendered, however long it takes.
messages=$(melt -silent "$from" -filter "$filter" "$@" -consumer avformat:"$to" real_time=-1 2>&1)
case $messages in
    # melt itself ends well whatever happened: a frame that cannot be restored passes as it is.
    *OfxMessageError*)
        printf '%s\n' "$messages" | grep OfxMessageError | sort -u >&2
        rm -f "$to"
        exit 1
        ;;
esac
if [ ! -s "$to" ]; then
    printf '%s\n' "$messages" >&2
    exit 1
fi
echo "$to"
