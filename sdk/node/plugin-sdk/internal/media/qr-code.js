// QR codes (ISO/IEC 18004), in bytes, with correction level M.

/** Of each version: correction codewords of a block, and how many blocks there are. */
const ECC = [10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26, 26, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28];
const BLOCKS = [1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16, 17, 17, 18, 20, 21, 23, 25, 26, 28, 29, 31, 33, 35, 37, 38, 40, 43, 45, 47, 49];
const LEVEL_M = 0;

const [EXP, LOG] = [new Uint8Array(510), new Uint8Array(256)];
for (let i = 0, x = 1; i < 255; i++) {
  EXP[i] = EXP[i + 255] = x;
  LOG[x] = i;
  x = x & 0x80 ? (x << 1) ^ 0x11d : x << 1;
}
const times = (a, b) => (a && b ? EXP[LOG[a] + LOG[b]] : 0);

/** The polynomial of `count` correction codewords, its highest member left out. */
function generator(count) {
  let poly = [1];
  for (let i = 0; i < count; i++) {
    const next = [...poly, 0];
    poly.forEach((value, at) => (next[at + 1] ^= times(value, EXP[i])));
    poly = next;
  }
  return poly.slice(1);
}
function correction(data, divisor) {
  const rest = new Array(divisor.length).fill(0);
  for (const byte of data) {
    const factor = byte ^ rest.shift();
    rest.push(0);
    divisor.forEach((value, at) => (rest[at] ^= times(value, factor)));
  }
  return rest;
}

/** Modules that hold data. */
function capacity(version) {
  const align = version > 1 ? Math.floor(version / 7) + 2 : 0;
  return (16 * version + 128) * version + 64 - (align ? (25 * align - 10) * align - 55 : 0) - (version >= 7 ? 36 : 0);
}
const dataCodewords = (version) => Math.floor(capacity(version) / 8) - ECC[version - 1] * BLOCKS[version - 1];

/** The codewords of a text, with correction and in the order of placement. */
function codewords(bytes) {
  const version = ECC.findIndex((_, index) => dataCodewords(index + 1) * 8 >= 4 + (index + 1 < 10 ? 8 : 16) + bytes.length * 8) + 1;
  if (version === 0) throw new Error(`a QR code holds at most ${dataCodewords(40) - 3} bytes, the text has ${bytes.length}`);
  const total = dataCodewords(version);
  const bits = [];
  const put = (value, length) => {
    for (let i = length - 1; i >= 0; i--) bits.push((value >>> i) & 1);
  };
  put(0b0100, 4);
  put(bytes.length, version < 10 ? 8 : 16);
  for (const byte of bytes) put(byte, 8);
  put(0, Math.min(4, total * 8 - bits.length));
  put(0, (8 - (bits.length % 8)) % 8);
  const data = Array.from({ length: bits.length / 8 }, (_, index) => bits.slice(index * 8, index * 8 + 8).reduce((value, bit) => value * 2 + bit, 0));
  for (let pad = 0xec; data.length < total; pad ^= 0xec ^ 0x11) data.push(pad);
  return { version, stream: interleaved(data, version) };
}
function interleaved(data, version) {
  const [count, length] = [BLOCKS[version - 1], ECC[version - 1]];
  const divisor = generator(length);
  const short = Math.floor(data.length / count);
  const longer = data.length % count;
  let at = 0;
  const blocks = Array.from({ length: count }, (_, index) => data.slice(at, (at += short + (index >= count - longer ? 1 : 0))));
  const fixes = blocks.map((block) => correction(block, divisor));
  const rows = (lists, width) => Array.from({ length: width }, (_, column) => lists.map((list) => list[column])).flat().filter((value) => value !== undefined);
  return [...rows(blocks, short + 1), ...rows(fixes, length)];
}

/** A square of modules; `fixed` marks those that no mask may turn. */
class Matrix {
  constructor(version) {
    this.version = version;
    this.size = version * 4 + 17;
    this.dark = Array.from({ length: this.size }, () => new Array(this.size).fill(false));
    this.fixed = Array.from({ length: this.size }, () => new Array(this.size).fill(false));
    this.#patterns();
  }
  set(x, y, dark) {
    if (x < 0 || y < 0 || x >= this.size || y >= this.size) return;
    this.dark[y][x] = dark;
    this.fixed[y][x] = true;
  }
  #square(cx, cy, radius, rings) {
    for (let dy = -radius; dy <= radius; dy++) for (let dx = -radius; dx <= radius; dx++) this.set(cx + dx, cy + dy, rings.includes(Math.max(Math.abs(dx), Math.abs(dy))));
  }
  #patterns() {
    const { size } = this;
    for (let i = 0; i < size; i++) {
      this.set(6, i, i % 2 === 0);
      this.set(i, 6, i % 2 === 0);
    }
    for (const [x, y] of [[3, 3], [size - 4, 3], [3, size - 4]]) this.#square(x, y, 4, [0, 1, 3]);
    const places = this.#alignment();
    for (const x of places) for (const y of places) if (!(x === 6 && y === 6) && !(x === 6 && y === size - 7) && !(x === size - 7 && y === 6)) this.#square(x, y, 2, [0, 2]);
    this.format(0);
    this.#versionBits();
  }
  #alignment() {
    if (this.version === 1) return [];
    const count = Math.floor(this.version / 7) + 2;
    const step = this.version === 32 ? 26 : Math.ceil((this.version * 4 + 4) / (count * 2 - 2)) * 2;
    return [6, ...Array.from({ length: count - 1 }, (_, index) => this.size - 7 - (count - 2 - index) * step)];
  }
  /** Level and mask, twice. */
  format(mask) {
    const data = (LEVEL_M << 3) | mask;
    let rest = data;
    for (let i = 0; i < 10; i++) rest = (rest << 1) ^ ((rest >>> 9) * 0x537);
    const bits = ((data << 10) | rest) ^ 0x5412;
    const bit = (index) => ((bits >>> index) & 1) === 1;
    const { size } = this;
    for (let i = 0; i <= 5; i++) this.set(8, i, bit(i));
    this.set(8, 7, bit(6));
    this.set(8, 8, bit(7));
    this.set(7, 8, bit(8));
    for (let i = 9; i < 15; i++) this.set(14 - i, 8, bit(i));
    for (let i = 0; i < 8; i++) this.set(size - 1 - i, 8, bit(i));
    for (let i = 8; i < 15; i++) this.set(8, size - 15 + i, bit(i));
    this.set(8, size - 8, true);
  }
  #versionBits() {
    if (this.version < 7) return;
    let rest = this.version;
    for (let i = 0; i < 12; i++) rest = (rest << 1) ^ ((rest >>> 11) * 0x1f25);
    const bits = (this.version << 12) | rest;
    for (let i = 0; i < 18; i++) {
      const [a, b, dark] = [this.size - 11 + (i % 3), Math.floor(i / 3), ((bits >>> i) & 1) === 1];
      this.set(a, b, dark);
      this.set(b, a, dark);
    }
  }
  /** Puts the codewords into the free modules, two columns at a time, up and down. */
  fill(stream) {
    let at = 0;
    for (let right = this.size - 1; right >= 1; right -= 2) {
      if (right === 6) right = 5;
      for (let step = 0; step < this.size; step++) {
        const y = ((right + 1) & 2) === 0 ? this.size - 1 - step : step;
        for (const x of [right, right - 1]) {
          if (this.fixed[y][x] || at >= stream.length * 8) continue;
          this.dark[y][x] = ((stream[at >>> 3] >>> (7 - (at & 7))) & 1) === 1;
          at++;
        }
      }
    }
  }
  turn(mask) {
    for (let y = 0; y < this.size; y++) for (let x = 0; x < this.size; x++) if (!this.fixed[y][x] && MASKS[mask](x, y)) this.dark[y][x] = !this.dark[y][x];
  }
  /** How hard a reader would find it: runs, blocks, false finders, unbalance. */
  penalty() {
    const { size, dark } = this;
    let score = 0;
    const lines = [...dark, ...dark[0].map((_, x) => dark.map((row) => row[x]))].map((line) => line.map(Number).join(''));
    for (const line of lines) {
      for (const [run] of line.matchAll(/0{5,}|1{5,}/g)) score += run.length - 2;
      score += 40 * [...line.matchAll(/(?=10111010000|00001011101)/g)].length;
    }
    for (let y = 1; y < size; y++) for (let x = 1; x < size; x++) if (dark[y][x] === dark[y - 1][x] && dark[y][x] === dark[y][x - 1] && dark[y][x] === dark[y - 1][x - 1]) score += 3;
    const share = (dark.flat().filter(Boolean).length * 100) / (size * size);
    return score + 10 * Math.floor(Math.abs(share - 50) / 5);
  }
}
const MASKS = [
  (x, y) => (x + y) % 2 === 0, (_x, y) => y % 2 === 0, (x) => x % 3 === 0, (x, y) => (x + y) % 3 === 0, (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0, (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0, (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

/**
 * The modules of a code, row by row, `true` for dark ones.
 * @param {string} text
 * @returns {boolean[][]}
 */
export function qrModules(text) {
  const { version, stream } = codewords(Buffer.from(text, 'utf8'));
  const matrix = new Matrix(version);
  matrix.fill(stream);
  let best = { penalty: Infinity, mask: 0 };
  for (let mask = 0; mask < MASKS.length; mask++) {
    matrix.format(mask);
    matrix.turn(mask);
    const penalty = matrix.penalty();
    if (penalty < best.penalty) best = { penalty, mask };
    matrix.turn(mask);
  }
  matrix.format(best.mask);
  matrix.turn(best.mask);
  return matrix.dark;
}
