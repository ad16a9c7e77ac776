// Subpaths of entry and core, config, setup, approvals and security, and runtime utilities that carry every name of the reference.
import assert from 'node:assert/strict';
import test from 'node:test';
import { lacking } from './subpaths.mjs';

const COMPLETE = [
  'plugin-entry', // SUB-001, SUB-312
  'provider-entry', // SUB-003
  'channel-core', // SUB-004
  'channel-entry-contract', // SUB-005
  'migration', // SUB-008
  'migration-runtime', // SUB-009
  'extension-shared', // SUB-010
  'lazy-runtime', // SUB-011
  'runtime-store', // SUB-012
  'runtime-doctor', // SUB-015
  'host-runtime', // SUB-017
  'zod', // SUB-019
  'skills-runtime', // SUB-021
  'config-contracts', // SUB-022
  'config-types', // SUB-023
  'runtime-config-snapshot', // SUB-027
  'agent-config-primitives', // SUB-028
  'runtime-group-policy', // SUB-031
  'model-session-runtime', // SUB-032
  'setup', // SUB-033
  'setup-adapter-runtime', // SUB-035
  'channel-setup', // SUB-037
  'approval-auth-runtime', // SUB-140
  'approval-client-runtime', // SUB-141
  'approval-delivery-runtime', // SUB-142
  'approval-gateway-runtime', // SUB-143
  'approval-handler-adapter-runtime', // SUB-144
  'approval-native-runtime', // SUB-146
  'approval-reply-runtime', // SUB-147
  'ssrf-policy', // SUB-150
  'ssrf-runtime', // SUB-151
  'ssrf-dispatcher', // SUB-152
  'secret-input', // SUB-153
  'secret-input-runtime', // SUB-154
  'secret-ref-runtime', // SUB-155
  'secret-file-runtime', // SUB-156
  'secure-random-runtime', // SUB-158
  'file-access-runtime', // SUB-159
  'process-runtime', // SUB-189
  'windows-spawn', // SUB-190
  'run-command', // SUB-191
  'retry-runtime', // SUB-192
  'time-runtime', // SUB-193
  'temp-path', // SUB-194
  'runtime-logger', // SUB-196
  'diagnostic-runtime', // SUB-197
  'error-runtime', // SUB-198
  'fetch-runtime', // SUB-199
  'runtime-fetch', // SUB-200
  'response-limit-runtime', // SUB-201
  'request-url', // SUB-202
  'string-coerce-runtime', // SUB-203
  'string-normalization-runtime', // SUB-204
  'number-runtime', // SUB-205
  'boolean-param', // SUB-206
  'param-readers', // SUB-207
  'tool-payload', // SUB-208
  'tool-send', // SUB-209
  'collection-runtime', // SUB-210
  'concurrency-runtime', // SUB-211
  'async-lock-runtime', // SUB-212
  'keyed-async-queue', // SUB-213
  'dedupe-runtime', // SUB-214
  'persistent-dedupe', // SUB-215
  'file-lock', // SUB-216
  'json-store', // SUB-217
  'state-paths', // SUB-218
  'global-singleton', // SUB-219
  'transport-ready-runtime', // SUB-220
  'webhook-request-guards', // SUB-223
  'webhook-path', // SUB-224
  'plugin-test-api', // SUB-298
];

for (const subpath of COMPLETE) test(`${subpath} carries every name`, () => assert.deepEqual(lacking(subpath), []));
