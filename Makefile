# SPDX-License-Identifier: Apache-2.0
# Catwalk. `make run` sets up what is missing and runs the main job, `make check` the tests, `make help` lists the rest.
O ?= build
Q ?= @
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDEXPANSION:

-include mk/setup.mk
-include mk/kernel.mk
-include mk/native.mk
-include mk/target.mk
-include mk/check.mk
-include mk/bench.mk
