// Subpaths of settings, commands, messages, speech and media that carry every name of the reference.
import assert from 'node:assert/strict';
import test from 'node:test';
import { lacking } from './subpaths.mjs';

const COMPLETE = [
  'core', // SUB-002
  'json-schema-runtime', // SUB-007
  'runtime-env', // SUB-014
  'plugin-config-runtime', // SUB-025
  'config-mutation', // SUB-026
  'talk-config-runtime', // SUB-029
  'provider-setup', // SUB-038
  'self-hosted-provider-setup', // SUB-039
  'provider-onboard', // SUB-040
  'command-status', // SUB-061
  'channel-actions', // SUB-073
  'channel-ingress', // SUB-079
  'channel-message', // SUB-085
  'channel-message-runtime', // SUB-086
  'channel-targets', // SUB-101
  'directory-runtime', // SUB-111
  'telegram-account', // SUB-116
  'inbound-reply-dispatch', // SUB-122
  'reply-runtime', // SUB-123
  'reply-dispatch-runtime', // SUB-124
  'reply-dedupe', // SUB-125
  'outbound-runtime', // SUB-132
  'delivery-queue-runtime', // SUB-134
  'text-chunking', // SUB-135
  'text-utility-runtime', // SUB-138
  'session-transcript-hit', // SUB-166
  'routing', // SUB-168
  'acp-runtime-backend', // SUB-173
  'acp-binding-runtime', // SUB-174
  'acp-binding-resolve-runtime', // SUB-175
  'cli-backend', // SUB-176
  'models-provider-runtime', // SUB-179
  'skill-commands-runtime', // SUB-180
  'native-command-registry', // SUB-182
  'qa-runner-runtime', // SUB-183
  'proxy-capture', // SUB-184
  'media-understanding-runtime', // SUB-232
  'image-generation-core', // SUB-235
  'music-generation-core', // SUB-237
  'video-generation-core', // SUB-240
  'speech', // SUB-241
  'speech-core', // SUB-242
  'realtime-transcription', // SUB-244
  'realtime-voice', // SUB-245
  'web-content-extractor', // SUB-247
  'provider-model-shared', // SUB-259
  'lmstudio', // SUB-272
  'lmstudio-runtime', // SUB-273
  'memory-core', // SUB-274
  'memory-core-host-engine-storage', // SUB-279
  'memory-core-host-runtime-core', // SUB-286
  'memory-core-host-runtime-files', // SUB-287
  'memory-host-core', // SUB-288
  'memory-host-files', // SUB-290
  'compat', // SUB-018
  'command-auth', // SUB-056
  'command-auth-native', // SUB-057
  'command-status-runtime', // SUB-062
  'channel-pairing', // SUB-087
  'channel-pairing-paths', // SUB-088
  'channel-runtime', // SUB-093
  'security-runtime', // SUB-149
  'session-store-runtime', // SUB-165
  'heartbeat-runtime', // SUB-170
  'system-event-runtime', // SUB-171
  'cli-runtime', // SUB-188
  'logging-core', // SUB-195
  'webhook-ingress', // SUB-221
  'webhook-targets', // SUB-222
  'web-media', // SUB-228
  'provider-catalog-runtime', // SUB-255
  'memory-core-host-engine-foundation', // SUB-277
  'test-fixtures', // SUB-304
];

for (const subpath of COMPLETE) test(`${subpath} carries every name`, () => assert.deepEqual(lacking(subpath), []));
