// Media: kinds, limits, polls, roots.
import { list, pick, scalar, text } from './kit.mjs';

const mime = () => pick(['image/png', 'IMAGE/JPEG; q=1', 'audio/ogg', 'text/plain', 'application/pdf', 'application/octet-stream', 'image/apng', 'x', '', undefined, null, 'video/mp4', 'font/woff']);
const file = () => pick(['a.png', '/x/b.JPEG', 'c.ogg', 'https://h.x/p/d.webm?x=1', 'noext', '', undefined, 'e.xml', 'f.opus', 'g---0f8fad5b-d9cb-469f-a165-70867728950e.txt', 'movie.mp4', 'song.m4a', 'page.htm']);
const directory = () => pick(['/a/b', '/a/*/c', '/a/b*', 'relative', '/', 'C:/x', 'C:\\x\\y', '/a/b/', '', ' /a ', '/a/../b']);

export default [
  ['media-runtime', ['extensionForMime', 'mediaKindFromMime', 'kindFromMime', 'normalizeMimeType'], () => [mime()]],
  ['media-runtime', ['getFileExtension', 'mimeTypeFromFilePath', 'isAudioFileName'], () => [file()]],
  ['media-runtime', ['isVoiceMessageCompatibleAudio', 'isVoiceCompatibleAudio', 'isGifMedia'], () => [{ contentType: mime(), fileName: file() }]],
  ['media-runtime', ['imageMimeFromFormat'], () => [pick(['jpg', 'JPEG', 'png', 'bmp', '', undefined, 'webp'])]],
  ['media-runtime', ['maxBytesForKind'], () => [pick(['image', 'audio', 'video', 'document', 'x'])]],
  ['media-runtime', ['extractOriginalFilename'], () => [pick(['/x/g---0f8fad5b-d9cb-469f-a165-70867728950e.txt', 'plain.txt', '', 'a---b.txt', 'n---0f8fad5b-d9cb-469f-a165-70867728950e'])]],
  ['media-runtime', ['canonicalizeBase64', 'estimateBase64DecodedBytes'], () => [pick(['', 'aGk=', 'a G k =', 'aGk', 'aGk==', '====', 'YQ==\n', 'ab=c', 'Zm9vYmFy'])]],
  ['media-runtime', ['detectMime'], () => [{ filePath: file(), headerMime: mime(), buffer: pick([undefined, Buffer.from('%PDF-1.4 xxxxxxxxxxxx'), Buffer.from('plain text of some length'), Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16, 74, 70, 73, 70, 0, 1])]) }]],
  ['media-runtime', ['normalizePollInput'], () => [{ question: text(), options: list(), maxSelections: pick([undefined, 0, 1, 2, 9, NaN]), durationHours: pick([undefined, 0, 3.5]), durationSeconds: pick([undefined, undefined, 10]) }, pick([undefined, { maxOptions: 2 }])]],
  ['media-runtime', ['normalizePollDurationHours'], () => [pick([undefined, 0, 5.5, 900, NaN]), { defaultHours: 24, maxHours: 168 }]],
  ['media-runtime', ['resolvePollMaxSelections'], () => [pick([0, 1, 5]), pick([true, false])]],
  ['media-runtime', ['parseFfprobeCodecAndSampleRate'], () => [pick(['opus,48000\n', 'MP3', '', 'aac,x', 'vorbis\n44100\n'])]],
  ['media-runtime', ['parseFfprobeVideoDimensions'], () => [pick(['{"streams":[{"width":4,"height":3}]}', '{}', '{"streams":[{"width":0,"height":3}]}'])]],
  ['media-runtime', ['isValidInboundPathRootPattern'], () => [directory()]],
  ['media-runtime', ['normalizeInboundPathRoots', 'mergeInboundPathRoots'], () => [pick([undefined, list(directory), list(scalar)])]],
  ['media-runtime', ['isInboundPathAllowed'], () => [{ filePath: pick(['/a/b/c', '/a/x/c/d', 'C:/x/y', '/a', '', 'rel']), roots: list(directory), fallbackRoots: pick([undefined, ['/a']]) }]],
  ['media-runtime', ['buildAgentMediaPayload'], () => [list(() => ({ path: '/m', contentType: mime() }))]],
  ['media-runtime', ['normalizeMediaAttachments'], () => [{ MediaPath: pick([undefined, '/a', ' ']), MediaUrl: pick([undefined, 'http://x', '']), MediaType: pick([undefined, 'image/png']), MediaPaths: pick([undefined, list()]), MediaUrls: pick([undefined, list()]), MediaTypes: pick([undefined, ['a/b', '']]), MediaTranscribedIndexes: pick([undefined, [0, 7]]) }]],
  ['media-runtime', ['resolveOutboundMediaAccess', 'buildOutboundMediaLoadOptions'], () => [pick([undefined, { mediaLocalRoots: pick([undefined, [], ['/a'], 'any']), maxBytes: pick([undefined, 5]), mediaAccess: pick([undefined, { localRoots: ['/b'], workspaceDir: '/w' }]), workspaceDir: pick([undefined, '/v']), optimizeImages: pick([undefined, false]) }])]],
  ['media-runtime', ['normalizeMediaProviderId'], () => [pick(['gemini', 'Google', 'z.ai', 'openai'])]],
  ['media-runtime', ['resolveChannelMediaMaxBytes'], () => [{ cfg: { agents: pick([undefined, { defaults: { mediaMaxMb: 3 } }]) }, accountId: text(), resolveChannelLimitMb: pick([() => 2, () => undefined]) }]],
  ['media-runtime', ['buildImageResizeSideGrid'], () => [pick([500, 1600, 4000]), pick([900, 1200, 2400])]],
];
