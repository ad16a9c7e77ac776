// Subpaths of agents and sessions, media and capabilities, providers and memory that carry every name of the reference.
import assert from 'node:assert/strict';
import test from 'node:test';
import { lacking } from './subpaths.mjs';

const COMPLETE = [
  'session-key-runtime', // SUB-164
  'native-command-config-runtime', // SUB-181
  'media-store', // SUB-226
  'media-mime', // SUB-227
  'provider-auth-runtime', // SUB-249
  'provider-auth-api-key', // SUB-250
  'provider-auth-result', // SUB-251
  'provider-env-vars', // SUB-253
  'provider-catalog-shared', // SUB-256
  'provider-http', // SUB-257
  'provider-stream', // SUB-260
  'provider-stream-family', // SUB-261
  'provider-stream-shared', // SUB-262
];

for (const subpath of COMPLETE) test(`${subpath} carries every name`, () => assert.deepEqual(lacking(subpath), []));
