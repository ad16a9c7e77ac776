// What an archive of a stranger may hold: how much, under which names. Nothing that it says of itself is believed before it is checked.
import path from 'node:path';

const MESSAGES = {
  'archive-size-exceeds-limit': 'archive size exceeds limit',
  'archive-entry-count-exceeds-limit': 'archive entry count exceeds limit',
  'archive-entry-extracted-size-exceeds-limit': 'archive entry extracted size exceeds limit',
  'archive-extracted-size-exceeds-limit': 'archive extracted size exceeds limit',
};
const DEFAULTS = { maxArchiveBytes: 256 * 1024 * 1024, maxEntries: 50_000, maxExtractedBytes: 512 * 1024 * 1024, maxEntryBytes: 256 * 1024 * 1024 };

/** An archive is larger than it may be. `code` says in which way. */
export class ArchiveLimitError extends Error {
  constructor(code) {
    super(MESSAGES[code]);
    this.name = 'ArchiveLimitError';
    this.code = code;
  }
}

/** Limits with defaults, in bytes and entries. @param {Partial<typeof DEFAULTS>} [wanted] */
export function limitsOf(wanted = {}) {
  const given = Object.entries(wanted).filter(([name, value]) => name in DEFAULTS && Number.isFinite(value) && Math.floor(value) > 0);
  return { ...DEFAULTS, ...Object.fromEntries(given.map(([name, value]) => [name, Math.floor(value)])) };
}

/** Counts what comes out of one archive, and fails at the first byte too many. */
export class Budget {
  #limits;
  #entries = 0;
  #bytes = 0;

  constructor(limits) {
    this.#limits = limits;
  }

  /** An entry that says to be so large. */
  entry(size) {
    if (++this.#entries > this.#limits.maxEntries) throw new ArchiveLimitError('archive-entry-count-exceeds-limit');
    this.#check(size, size);
  }

  /** Bytes that came out: `sum` of this entry so far. */
  bytes(count, sum) {
    this.#bytes += count;
    this.#check(sum, 0);
  }

  #check(ofEntry, more) {
    if (ofEntry > this.#limits.maxEntryBytes) throw new ArchiveLimitError('archive-entry-extracted-size-exceeds-limit');
    if (this.#bytes + more > this.#limits.maxExtractedBytes) throw new ArchiveLimitError('archive-extracted-size-exceeds-limit');
  }
}

/** The parts of an entry's path below the destination, or `undefined` when nothing is left of it. */
export function partsOf(name, strip) {
  if (/^[a-z]:/i.test(name)) throw new Error(`archive entry uses a drive path: ${name}`);
  if (name.includes('\0')) throw new Error(`archive entry has a zero in its name: ${JSON.stringify(name)}`);
  const slashed = name.replaceAll('\\', '/');
  if (slashed.startsWith('/')) throw new Error(`archive entry is absolute: ${name}`);
  const whole = path.posix.normalize(slashed);
  if (whole === '..' || whole.startsWith('../')) throw new Error(`archive entry escapes destination: ${name}`);
  const parts = whole.split('/').filter((part) => part !== '' && part !== '.').slice(strip);
  return parts.length > 0 ? parts : undefined;
}
