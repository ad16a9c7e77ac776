// Subpaths of agents and sessions, media and capabilities, providers and memory that carry every name of the reference.
import assert from 'node:assert/strict';
import test from 'node:test';
import { lacking } from './subpaths.mjs';

const COMPLETE = [
  'session-key-runtime', // SUB-164
  'native-command-config-runtime', // SUB-181
  'media-store', // SUB-226
  'media-mime', // SUB-227
  'provider-http', // SUB-257
];

for (const subpath of COMPLETE) test(`${subpath} carries every name`, () => assert.deepEqual(lacking(subpath), []));
