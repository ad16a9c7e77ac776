// Subpaths of entry and core, config, setup, approvals and security, and runtime utilities that carry every name of the reference.
import assert from 'node:assert/strict';
import test from 'node:test';
import { lacking } from './subpaths.mjs';

const COMPLETE = [
  'plugin-entry', // SUB-001, SUB-312
  'provider-entry', // SUB-003
];

for (const subpath of COMPLETE) test(`${subpath} carries every name`, () => assert.deepEqual(lacking(subpath), []));
