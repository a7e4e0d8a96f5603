#!/bin/sh
# dpkg says "remove", rpm says how many versions will be left. An upgrade leaves the service running; the data is never removed.
set -e
case "$1" in
remove | 0)
	if [ -z "${DPKG_ROOT:-}" ] && [ -d /run/systemd/system ]; then
		systemctl disable --now rolecalld.service || true
	fi
	;;
esac
