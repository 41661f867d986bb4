#!/bin/sh
# Writes down what it is asked to compile, and has it compiled.
echo "wrapper $*" >>"$WRAPPER_LOG"
exec "$@"
