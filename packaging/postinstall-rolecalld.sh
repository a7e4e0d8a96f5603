#!/bin/sh
# The server's user must exist before its first start. The service is neither enabled nor started: it wants a host name first.
set -e
if command -v systemd-sysusers >/dev/null 2>&1; then
	systemd-sysusers --root="${DPKG_ROOT:-/}" rolecalld.conf
fi
if [ -z "${DPKG_ROOT:-}" ] && [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
