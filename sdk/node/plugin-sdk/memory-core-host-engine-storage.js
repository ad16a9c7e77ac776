export { buildFileEntry, buildMultimodalChunkForIndexing, chunkMarkdown, cosineSimilarity, ensureDirectory as ensureDir, hashText, parseEmbedding, remapChunkLines } from './internal/memory/chunks.js';
export { runWithConcurrency } from './internal/memory/embeddings.js';
export { DEFAULT_MEMORY_READ_LINES, DEFAULT_MEMORY_READ_MAX_CHARS, buildMemoryReadResult, buildMemoryReadResultFromSlice, isFileMissingError, listMemoryFiles, normalizeExtraMemoryPaths, readMemoryFile } from './internal/memory/read.js';
export { closeMemorySqliteWalMaintenance, configureMemorySqliteWalMaintenance, ensureMemoryIndexSchema, loadSqliteVecExtension, requireNodeSqlite } from './internal/memory/sqlite.js';
export { statRegularFile } from './internal/safe-files.js';
export { resolveMemoryBackendConfig } from './internal/memory/backend.js';
export { MEMORY_EMBEDDING_CACHE_TABLE, MEMORY_INDEX_CHUNKS_TABLE, MEMORY_INDEX_FTS_TABLE, MEMORY_INDEX_META_TABLE, MEMORY_INDEX_SOURCES_TABLE, MEMORY_INDEX_STATE_TABLE, MEMORY_INDEX_VECTOR_TABLE, isTransientMemoryReadError, retryTransientMemoryRead } from './internal/memory/tables.js';
