// Subpaths of settings, commands, messages, speech and media that carry every name of the reference.
import assert from 'node:assert/strict';
import test from 'node:test';
import { lacking } from './subpaths.mjs';

const COMPLETE = [
  'json-schema-runtime', // SUB-007
  'plugin-config-runtime', // SUB-025
  'config-mutation', // SUB-026
  'talk-config-runtime', // SUB-029
  'command-status', // SUB-061
  'channel-message', // SUB-085
  'channel-message-runtime', // SUB-086
  'channel-targets', // SUB-101
  'directory-runtime', // SUB-111
  'inbound-reply-dispatch', // SUB-122
  'outbound-runtime', // SUB-132
  'delivery-queue-runtime', // SUB-134
  'text-chunking', // SUB-135
  'text-utility-runtime', // SUB-138
  'routing', // SUB-168
  'cli-backend', // SUB-176
  'skill-commands-runtime', // SUB-180
  'native-command-registry', // SUB-182
  'media-understanding-runtime', // SUB-232
  'speech', // SUB-241
  'speech-core', // SUB-242
  'realtime-transcription', // SUB-244
  'realtime-voice', // SUB-245
  'web-content-extractor', // SUB-247
];

for (const subpath of COMPLETE) test(`${subpath} carries every name`, () => assert.deepEqual(lacking(subpath), []));
