export { downloadGeneratedMusicAsset, extractGeneratedMusicFileCandidates, generatedMusicAssetFromBase64 } from './internal/generation/music.js';
