#!/bin/sh
# Installs KDS for this user from its unpacked archive: the command, the library and the plug-ins for GIMP. Nothing is compiled,
# and nothing is fetched.
#
#   ./install.sh [--prefix FOLDER]               into ~/.local/share/kds if no folder is named
#   ./install.sh [--prefix FOLDER] --uninstall
set -eu

fail() { echo "install.sh: $*" >&2; exit 1; }

here=$(cd "$(dirname "$0")" && pwd -P)
configuration=${XDG_CONFIG_HOME:-${HOME:?}/.config}
prefix=${XDG_DATA_HOME:-$HOME/.local/share}/kds
uninstall=
while [ $# -gt 0 ]; do
    case $1 in
        --prefix) [ $# -gt 1 ] || fail "--prefix needs a folder"; prefix=$2; shift ;;
        --uninstall) uninstall=1 ;;
        *) fail "there is no option $1; there are --prefix FOLDER and --uninstall" ;;
    esac
    shift
done
case $prefix in /*) ;; *) prefix=$PWD/$prefix ;; esac
list=$prefix/share/kds/installed.txt
command=$HOME/.local/bin/kds

# As xtask/src/install/launcher.rs writes it.
mark='# Starts a program of KDS where it is installed. Made by `cargo xtask install`.'
is_ours() { [ -L "$1" ] || [ "$(sed -n 2p "$1" 2>/dev/null)" = "$mark" ]; }

# Folders of plug-ins of the GIMPs that were started before.
gimps() {
    for settings in "$configuration"/GIMP/2.10 "$configuration"/GIMP/3.*; do
        [ ! -d "$settings" ] || echo "$settings/plug-ins/kds"
    done
}

remove() {
    gimps | while IFS= read -r folder; do
        [ -e "$folder/kds" ] || [ -L "$folder/kds" ] || continue
        is_ours "$folder/kds" || fail "$folder/kds is a file that this program did not put there: remove it first"
        rm "$folder/kds"
        rmdir "$folder" 2>/dev/null || true
    done
    if [ -L "$command" ] && [ "$(readlink "$command")" = "$prefix/bin/kds" ]; then rm "$command"; fi
    if [ -f "$list" ]; then
        # Folders, which end in a slash, after what is in them. The list goes last.
        grep -v '/$' "$list" | grep -vx share/kds/installed.txt | while IFS= read -r file; do rm -f "$prefix/$file"; done
        folders=$(grep '/$' "$list" | sort -r)
        rm "$list"
        echo "$folders" | while IFS= read -r folder; do rmdir "$prefix/$folder" 2>/dev/null || true; done
        rmdir "$prefix" 2>/dev/null || true
    fi
}

if [ -n "$uninstall" ]; then
    [ -f "$list" ] || fail "no KDS is installed in $prefix: there is no $list"
    remove
    echo "KDS is removed from $prefix."
    exit
fi

[ "$here" != "$prefix" ] || fail "unpack the archive elsewhere, or name another folder by --prefix"
[ -x "$here/bin/kds" ] || fail "$here/bin/kds is missing: run this in the unpacked archive"
remove
mkdir -p "$prefix/share/kds"
# The list first, so that whatever an interruption leaves can be removed.
(cd "$here" && find bin include lib libexec share ! -type d -print && find bin include lib libexec share -type d -print |
    sed 's|$|/|'; echo share/kds/installed.txt; echo share/kds/) | sort -u >"$list"
for part in bin include lib libexec share; do cp -R "$here/$part" "$prefix/"; done
echo "KDS is installed in $prefix."
if [ ! -e "$command" ] && [ ! -L "$command" ]; then
    mkdir -p "${command%/*}"
    ln -s "$prefix/bin/kds" "$command"
    echo "The command is $command."
fi
quoted=$(printf '%s' "$prefix" | sed "s/'/'\\\\''/g")
gimps | while IFS= read -r folder; do
    case $folder in */GIMP/2.10/*) program=kds-gimp2 ;; *) program=kds-gimp3 ;; esac
    mkdir -p "$folder"
    printf '%s\n' '#!/bin/sh' "$mark" "exec '$quoted'/libexec/$program \"\$@\"" >"$folder/kds"
    chmod 755 "$folder/kds"
    echo "GIMP finds its plug-in as $folder/kds."
done
[ -n "$(gimps)" ] || echo "No GIMP was found that has been started before: start GIMP once, then run this again."
