// Subpaths of entry and core, config, setup, approvals and security, and runtime utilities that carry every name of the reference.
import assert from 'node:assert/strict';
import test from 'node:test';
import { lacking } from './subpaths.mjs';

const COMPLETE = [
  'plugin-entry', // SUB-001, SUB-312
  'provider-entry', // SUB-003
  'channel-entry-contract', // SUB-005
  'lazy-runtime', // SUB-011
  'runtime-store', // SUB-012
  'zod', // SUB-019
  'config-contracts', // SUB-022
  'config-types', // SUB-023
  'runtime-group-policy', // SUB-031
  'approval-auth-runtime', // SUB-140
  'approval-gateway-runtime', // SUB-143
  'approval-handler-adapter-runtime', // SUB-144
  'ssrf-policy', // SUB-150
  'ssrf-dispatcher', // SUB-152
  'secret-input', // SUB-153
  'secure-random-runtime', // SUB-158
  'retry-runtime', // SUB-192
  'time-runtime', // SUB-193
  'fetch-runtime', // SUB-199
  'runtime-fetch', // SUB-200
  'response-limit-runtime', // SUB-201
  'request-url', // SUB-202
  'string-coerce-runtime', // SUB-203
  'string-normalization-runtime', // SUB-204
  'number-runtime', // SUB-205
  'boolean-param', // SUB-206
  'param-readers', // SUB-207
  'tool-send', // SUB-209
  'collection-runtime', // SUB-210
  'concurrency-runtime', // SUB-211
  'async-lock-runtime', // SUB-212
  'persistent-dedupe', // SUB-215
  'global-singleton', // SUB-219
  'webhook-request-guards', // SUB-223
  'webhook-path', // SUB-224
];

for (const subpath of COMPLETE) test(`${subpath} carries every name`, () => assert.deepEqual(lacking(subpath), []));
