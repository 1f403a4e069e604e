# The front door: `make` lists what there is. Everything runs on loopback and keeps its files in .local/.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help build run up stop down status logs consistency test test-e2e fault-test takeover-test bench conformance lint check format ci

help: ## what there is
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 18

build: ## install what is missing and build everything (one configuration: release)
	@scripts/setup
	@scripts/build

run: ## build, start the whole stack on http://127.0.0.1:8001 and play the main job
	@scripts/run

up: ## build and start the stack without playing the main job
	@scripts/run --no-job

stop down: ## end what `make run` started; the data stays
	@scripts/stack stop

status: ## what runs, since when, with how much memory
	@scripts/stack status

logs: ## last lines of every log; `make logs of=payment follow=1` for one
	@scripts/stack logs $(of) $(if $(follow),--follow)

consistency: ## hold the five services' books against each other; exit 1 and the differences when they disagree
	@scripts/consistency.py

test: ## everything: unit, integration and end to end, on a stack of its own
	@scripts/test all

test-e2e: ## the end to end tests only, faults and takeover included
	@scripts/test e2e

fault-test: ## the main job while everything is killed in turn
	@scripts/test e2e faults

takeover-test: ## two instances of each daemon, one killed for good
	@scripts/test e2e takeover

conformance: ## the connectors, and a daemon killed at work, against doubles of outside systems: `make conformance PEERS=FOLDER`
	@scripts/conformance $(PEERS)

bench: ## measure against references taken in the same run; writes .local/bench/latest.json
	@scripts/bench

lint: ## formatting, sizes, shell scripts
	@scripts/setup --check
	@scripts/lint

format: ## rewrite Swift files in the one format
	@swift format --in-place --recursive --parallel Package.swift Services Shared Tests deploy

check: lint test ## what a change must pass: lint, build, all tests

ci: check ## the same, as the build server runs it
