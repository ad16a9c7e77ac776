// Subpaths of agents and sessions, media and capabilities, providers and memory that carry every name of the reference.
import assert from 'node:assert/strict';
import test from 'node:test';
import { lacking } from './subpaths.mjs';

const COMPLETE = [
  'session-key-runtime', // SUB-164
  'native-command-config-runtime', // SUB-181
  'media-store', // SUB-226
  'media-mime', // SUB-227
  'media-generation-runtime', // SUB-229
  'media-generation-runtime-shared', // SUB-230
  'image-generation', // SUB-233
  'image-generation-runtime', // SUB-234
  'music-generation', // SUB-236
  'video-generation', // SUB-238
  'video-generation-runtime', // SUB-239
  'document-extractor', // SUB-246
  'provider-auth-runtime', // SUB-249
  'provider-auth-api-key', // SUB-250
  'provider-auth-result', // SUB-251
  'provider-env-vars', // SUB-253
  'provider-selection-runtime', // SUB-254
  'provider-catalog-shared', // SUB-256
  'provider-http', // SUB-257
  'provider-model-types', // SUB-258
  'provider-stream', // SUB-260
  'provider-stream-family', // SUB-261
  'provider-stream-shared', // SUB-262
  'memory-core-host-multimodal', // SUB-280
  'memory-core-host-query', // SUB-281
  'memory-core-host-secret', // SUB-282
  'memory-core-host-events', // SUB-283
  'memory-core-host-status', // SUB-284
  'memory-host-events', // SUB-289
  'memory-host-markdown', // SUB-291
  'memory-host-search', // SUB-292
  'memory-host-status', // SUB-293
];

for (const subpath of COMPLETE) test(`${subpath} carries every name`, () => assert.deepEqual(lacking(subpath), []));
