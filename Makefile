# The usual things. Everything else is Meson and Ninja: `meson setup build && ninja -C build`.
.PHONY: help build run test check soak bench format clean
help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1	\2/p' Makefile
build: ## build/fhirline
	@tools/build build
run: ## a sandbox, a database, an ingest and the API, all private, until Ctrl-C
	@tools/run
test: ## every test, real servers included
	@tools/setup --tests --browser && tests/run
check: ## the quick loop: house rules and unit tests
	@tools/setup --tests && tests/run --quick
soak: ## half an hour of random runs, kills and faults
	@tools/setup --tests && tests/soak/soak
bench: build ## every benchmark in its short form
	@for b in bench/*/run; do [ ! -x "$$b" ] || "$$b" --short || exit 1; done
format: ## clang-format on all C files
	@git ls-files '*.c' '*.h' | xargs clang-format -i
clean: ## all that was built; downloads and var/ stay
	rm -rf build build-*
