#!/bin/sh
# Redis without a password answers only its own host in protected mode. The official image switches that off,
# because in a pod the network in front of it decides who may connect; so does this one, unless told otherwise.
set -e
case "${1:-redis-server}" in
    redis-server) [ "$#" -eq 0 ] || shift ;;
    -*|*.conf) ;;
    *) exec "$@" ;;
esac
case "${1:-}" in
    *.conf) exec redis-server "$@" ;;
    *) exec redis-server --protected-mode no "$@" ;;
esac
