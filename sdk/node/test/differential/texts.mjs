// Rows for Markdown as marked texts, values against schemas, batches and journals.
import { later, list, pick, random, scalar, text } from './kit.mjs';

const piece = () => pick(['plain words', '**bold *both* **', '_it_', '~~gone~~', '`code`', '||secret||', '|| half', '[a](https://x.y)', '[](https://z)', 'www.example.com', '<b>', '![pic](u)', '\\*', 'https://a.b/c_d']);
const line = () => pick([() => Array.from({ length: 1 + random(4) }, piece).join(' '), () => `# ${piece()}`, () => `> ${piece()}`, () => `- ${piece()}`, () => `  - ${piece()}`, () => `${1 + random(12)}. ${piece()}`, () => '```js\nlet x = 1;\n```', () => `    ${piece()}`, () => '---', () => '', () => '| a | b |\n|---|:-:|\n| **1** | [l](u) |\n| x |  |', () => '| only |\n|---|\n| 1 |'])();
const markdown = () => Array.from({ length: random(8) }, line).join(pick(['\n', '\n\n']));
const options = () => pick([undefined, {}, { tableMode: pick(['off', 'bullets', 'code', 'block']), enableSpoilers: pick([true, false]), headingStyle: pick(['none', 'bold']), blockquotePrefix: pick(['', '> ']), linkify: pick([undefined, false]), autolink: pick([undefined, false]) }]);
const span = () => { const start = random(30); return { start, end: start + random(12) }; };
const marked = () => ({ text: Array.from({ length: random(12) }, () => pick(['word', '(in brackets)', '\n', ' ', '  ', 'longer-word', '<&>'])).join(pick(['', ' '])), styles: list(() => ({ ...span(), style: pick(['bold', 'italic', 'code', 'blockquote']) })), links: list(() => ({ ...span(), href: pick(['u', 'v']) })) });
const escaped = (value) => value.replaceAll('<', '&lt;').replaceAll('&', '&amp;');
const markers = () => ({ styleMarkers: { bold: { open: '<b>', close: '</b>' }, italic: { open: '<i>', close: '</i>' }, code: { open: '`', close: '`' } }, escapeText: escaped, buildLink: pick([undefined, (link) => (link.href === 'v' ? null : { start: link.start, end: link.end, open: `<a ${link.href}>`, close: '</a>' })]) });
const schema = () => pick([
  { type: 'object', required: ['a', 'b'], additionalProperties: false, properties: { a: { type: 'string', default: 'x' }, b: { type: 'integer', minimum: 2 }, c: { enum: ['one', 2, null, ...Array.from({ length: 14 }, (_, index) => `v${index}`)] } } },
  { type: 'object', properties: { a: { const: { k: 1 } }, u: { type: 'string', format: 'uri' }, d: { type: 'object', default: { e: 1 }, properties: { e: { type: 'number', default: 5 } } } }, dependencies: { u: ['a'] } },
  { anyOf: [{ type: 'string', pattern: '^a' }, { type: 'array', items: { type: 'boolean' }, minItems: 1 }] },
]);
const value = () => pick([{}, { a: 'q', b: 3 }, { a: 1, b: 1, c: 'no', 'x y': 2 }, { u: 'nope', a: { k: 1 } }, { u: 'https://x' }, { d: {} }, 'abc', 'b', [], [true, 1], null, undefined, scalar()]);
const stream = () => Array.from({ length: 1 + random(12) }, () => pick(['Some words. ', 'more text here', '\n', '\n\n', '\n \n', '```js\n', 'let a = 1;\n', '```\n', 'One! Two? Three.', 'x'.repeat(40), ' ', '~~~\n']));
const chunking = () => ({ minChars: pick([1, 10, 30]), maxChars: pick([20, 45, 80]), breakPreference: pick([undefined, 'paragraph', 'newline', 'sentence']), flushOnParagraph: pick([undefined, true]) });
/** A class with its steps as one call. */
const asSteps = (Chunker) => (parts, options, force) => {
  const [chunker, out] = [new Chunker(options), []];
  for (const part of parts) {
    chunker.append(part);
    chunker.drain({ force: false, emit: (chunk) => out.push(chunk) });
  }
  out.push(chunker.bufferedText);
  if (force) chunker.drain({ force: true, emit: (chunk) => out.push(chunk) });
  return [out, chunker.hasBuffered()];
};
let schemas = 0;
/** The language of code and the marks of cells are told since 2026.6; blanks at the seams and the words of errors are those of 2026.5. */
const known = (value) => (later ? value : JSON.parse(JSON.stringify(value, (key, member) => (['language', 'headerCells', 'rowCells'].includes(key) ? undefined : member))));

export default [
  ['agent-runtime', ['EmbeddedBlockChunker'], () => [stream(), chunking(), pick([true, false])], undefined, 600, asSteps],
  ['text-chunking', ['markdownToIR', 'markdownToIRWithMeta'], () => [markdown(), options()], known],
  ['text-chunking', ['sliceMarkdownIR'], () => [marked(), random(10), 5 + random(30)]],
  ['text-chunking', ['renderMarkdownWithMarkers'], () => [marked(), markers()]],
  ['text-chunking', ['convertMarkdownTables'], () => [markdown(), pick(['bullets', 'code', 'off', 'block'])]],
  ...(later ? [] : [
    ['text-chunking', ['chunkMarkdownIR'], () => [marked(), random(25)]],
    ['text-chunking', ['renderMarkdownIRChunksWithinLimit'], () => [{ ir: marked(), limit: 4 + random(30), renderChunk: ({ text: plain }) => escaped(plain), measureRendered: (rendered) => rendered.length }]],
    ['json-schema-runtime', ['validateJsonSchemaValue'], () => [{ schema: schema(), cacheKey: `k${schemas++ % 7}`, value: value(), applyDefaults: pick([undefined, true]), cache: pick([undefined, false]) }], undefined, 120],
  ]),
  ['media-runtime', ['encodePngRgba'], () => [Buffer.alloc(48, random(255)), 4, 3]],
  ['media-runtime', ['formatQrPngDataUrl'], () => [text()]],
];
