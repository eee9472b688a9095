import { XMLBuilder, XMLParser, XMLValidator } from 'fast-xml-parser';

/**
 * Domain XML as a plain tree that keeps everything it does not understand: order, comments, foreign namespaces,
 * white space. Names and values are decoded text; they come from outside and are never trusted.
 */
export interface XmlElement {
  name: string;
  attributes: Record<string, string>;
  children: XmlNode[];
}

export type XmlNode = XmlElement | { text: string } | { comment: string };

type RawNode = Record<string, unknown> & { ':@'?: Record<string, string> };

const shared = {
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  commentPropName: '#comment',
  cdataPropName: '#cdata',
  processEntities: false,
  maxNestedTags: 256, // as libvirt's own parser: every image of a chain is nested in the one above it
} as const;

// Entities stay as they are in the parser and are decoded here: its own decoding leaves numeric references alone,
// and would expand entities of a DOCTYPE, which libvirt never writes.
const parser = new XMLParser({
  ...shared,
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  allowBooleanAttributes: false,
  ignoreDeclaration: true,
  ignorePiTags: true,
});
const builder = new XMLBuilder({ ...shared, suppressEmptyNode: true, suppressBooleanAttributes: false });

const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function decode(text: string): string {
  return text.replace(/&(?:#x([0-9a-fA-F]{1,6})|#(\d{1,7})|(\w+));/g, (whole, hex, decimal, name) => {
    if (name !== undefined) return named[name] ?? whole;
    const point = Number.parseInt(hex ?? decimal, hex === undefined ? 10 : 16);
    return point <= 0x10ffff ? String.fromCodePoint(point) : whole;
  });
}

const encodeText = (text: string) =>
  text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/\r/g, '&#13;');

const encodeAttribute = (text: string) =>
  encodeText(text).replace(/"/g, '&quot;').replace(/\n/g, '&#10;').replace(/\t/g, '&#9;');

function fromRaw(raw: RawNode): XmlNode[] {
  const name = Object.keys(raw).find((key) => key !== ':@');
  if (name === undefined) return [];
  const value = raw[name];
  if (name === '#text') return [{ text: decode(String(value)) }];
  const inner = value as RawNode[];
  if (name === '#comment') return [{ comment: inner.map((node) => String(node['#text'] ?? '')).join('') }];
  if (name === '#cdata') return [{ text: inner.map((node) => String(node['#text'] ?? '')).join('') }];
  const attributes: Record<string, string> = {};
  for (const [key, text] of Object.entries(raw[':@'] ?? {})) attributes[key] = decode(text);
  return [{ name, attributes, children: inner.flatMap(fromRaw) }];
}

function toRaw(node: XmlNode): RawNode {
  if ('text' in node) return { '#text': encodeText(node.text) };
  if ('comment' in node) return { '#comment': [{ '#text': node.comment }] };
  const attributes = Object.fromEntries(
    Object.entries(node.attributes).map(([key, text]) => [key, encodeAttribute(text)]),
  );
  const raw: RawNode = { [node.name]: node.children.map(toRaw) };
  if (Object.keys(attributes).length > 0) raw[':@'] = attributes;
  return raw;
}

/** @throws {Error} when `xml` is not one well-formed element, or declares a document type */
export function parseXml(xml: string): XmlElement {
  if (/<!DOCTYPE/i.test(xml)) throw new Error('XML with a document type is not accepted');
  const valid = XMLValidator.validate(xml, { allowBooleanAttributes: false });
  if (valid !== true) throw new Error(`not well-formed XML: ${valid.err.msg}`);
  const roots = (parser.parse(xml) as RawNode[]).flatMap(fromRaw).filter(isElement);
  const [root] = roots;
  if (root === undefined || roots.length !== 1) throw new Error('XML without exactly one root element');
  return root;
}

export function buildXml(root: XmlElement): string {
  return String(builder.build([toRaw(root)]));
}

export function isElement(node: XmlNode): node is XmlElement {
  return 'name' in node;
}

export function elements(parent: XmlElement, name?: string): XmlElement[] {
  return parent.children.filter(isElement).filter((child) => name === undefined || child.name === name);
}

/** The first element at `path` below `parent`, one name per step. */
export function find(parent: XmlElement | undefined, ...path: string[]): XmlElement | undefined {
  let at = parent;
  for (const name of path) {
    if (at === undefined) return undefined;
    at = elements(at, name)[0];
  }
  return at;
}

/** Text of the element, trimmed; undefined when there is no such element. */
export function textOf(element: XmlElement | undefined): string | undefined {
  if (element === undefined) return undefined;
  return element.children
    .map((child) => ('text' in child ? child.text : ''))
    .join('')
    .trim();
}

export function element(
  name: string,
  attributes: Record<string, string> = {},
  ...children: XmlNode[]
): XmlElement {
  return { name, attributes, children };
}

export function setText(target: XmlElement, text: string): void {
  target.children = [{ text }];
}

/** Removes child elements that `test` accepts; returns how many. */
export function removeElements(parent: XmlElement, test: (child: XmlElement) => boolean): number {
  const before = parent.children.length;
  parent.children = parent.children.filter((child) => !isElement(child) || !test(child));
  return before - parent.children.length;
}

/** Every element below `parent`, `parent` included, in document order. */
export function* descendants(parent: XmlElement): Generator<XmlElement> {
  yield parent;
  for (const child of elements(parent)) yield* descendants(child);
}
