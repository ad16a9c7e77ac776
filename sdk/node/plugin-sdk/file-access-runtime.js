export { basenameFromMediaSource, readFileWithinRoot, readLocalFileFromRoots, root, safeFileURLToPath, writeFileWithinRoot } from './internal/safe-root.js';
