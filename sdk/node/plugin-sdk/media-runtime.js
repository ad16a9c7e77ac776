export { resolveChannelMediaMaxBytes } from './internal/feedback.js';
export { runFfmpeg } from './internal/host.js';
export { detectMime, isVoiceCompatibleAudio, mediaKindFromMime } from './internal/mime.js';
