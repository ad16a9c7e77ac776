// A file that appears whole: written beside its place under another name first.
import fs from 'node:fs/promises';
import path from 'node:path';
import { randomUUID } from 'node:crypto';

async function sync(target) {
  const handle = await fs.open(target, 'r').catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}

/**
 * Writes a file under a temporary name in `dir` and renames it to what `resolveFinalPath` says, which must lie in `dir` too.
 * @template T
 * @param {{dir: string, writeTemp: (file: string) => Promise<T>, resolveFinalPath: (result: T) => string, tempPrefix?: string, mode?: number, dirMode?: number, chmodDir?: boolean, syncTempFile?: boolean, syncParentDir?: boolean}} options
 * @returns {Promise<{filePath: string, result: T}>}
 */
export async function writeSiblingTempFile({ dir: given, writeTemp, resolveFinalPath, tempPrefix = '.tmp', mode, dirMode = 0o700, chmodDir, syncTempFile, syncParentDir }) {
  const dir = path.resolve(given);
  await fs.mkdir(dir, { recursive: true, mode: dirMode });
  if (chmodDir !== false) await fs.chmod(dir, dirMode).catch(() => {});
  const temporary = path.join(dir, `${path.basename(tempPrefix)}-${process.pid}-${randomUUID()}.tmp`);
  try {
    const result = await writeTemp(temporary);
    if (mode !== undefined) await fs.chmod(temporary, mode).catch(() => {});
    if (syncTempFile) await sync(temporary);
    const filePath = path.resolve(resolveFinalPath(result));
    if (path.dirname(filePath) !== dir) throw new Error(`\`${filePath}\` does not lie in \`${dir}\`, where its temporary file is`);
    await fs.rename(temporary, filePath);
    if (syncParentDir) await sync(dir);
    return { filePath, result };
  } finally {
    await fs.rm(temporary, { force: true }).catch(() => {});
  }
}
