import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildXml, find, parseXml, textOf, type XmlElement, type XmlNode } from './xml-tree.ts';

const name = fc.stringMatching(/^[a-z][a-z0-9]{0,6}(:[a-z]{1,4})?$/);
// XML 1.0 has no way to write control characters, lone surrogates or the two non-characters.
const text = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is filtered out
  .map((value) => value.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ufffe\uffff]/g, '_'));

const attributes = fc
  .uniqueArray(fc.tuple(name, text), { selector: ([key]) => key, maxLength: 3 })
  .map((entries) => Object.fromEntries(entries));

const { tree } = fc.letrec<{ tree: XmlElement; node: XmlNode }>((tie) => ({
  tree: fc.record({ name, attributes, children: fc.array(tie('node'), { maxLength: 3 }) }),
  node: fc.oneof({ maxDepth: 4 }, fc.record({ text }), tie('tree')),
}));

/** Neighbouring texts become one when written down. */
function joined(element: XmlElement): XmlElement {
  const children: XmlNode[] = [];
  for (const child of element.children) {
    const last = children.at(-1);
    if ('text' in child && last !== undefined && 'text' in last) last.text += child.text;
    else children.push('name' in child ? joined(child) : { ...child });
  }
  return { ...element, children };
}

describe('the XML tree', () => {
  it('gives back any tree it wrote, whatever the names and values hold', () => {
    fc.assert(
      fc.property(tree, (root) => {
        const again = parseXml(buildXml(root));
        expect(again).toEqual(joined(root));
      }),
      { numRuns: 300 },
    );
  });

  it('keeps order, comments, namespaces and white space of what it does not understand', () => {
    const xml = `<domain type="kvm" xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0">
  <!-- made by hand -->
  <b/><a/><b x="1"/>
  <qemu:commandline><qemu:arg value="-foo"/></qemu:commandline>
  <description>a &lt;b&gt; &amp; "c"</description>
</domain>`;
    expect(buildXml(parseXml(xml))).toBe(xml);
  });

  it('reads quotes, numeric references and character data', () => {
    const root = parseXml(`<a x='say "hi"&#10;&#x41;'><b><![CDATA[1 < 2]]></b></a>`);
    expect(root.attributes.x).toBe('say "hi"\nA');
    expect(textOf(find(root, 'b'))).toBe('1 < 2');
    expect(parseXml(buildXml(root))).toEqual(root);
  });

  it('refuses what is not one well-formed element, and document types', () => {
    expect(() => parseXml('<a><b></a>')).toThrow();
    expect(() => parseXml('')).toThrow();
    expect(() => parseXml('<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>')).toThrow(/document type/);
  });
});
