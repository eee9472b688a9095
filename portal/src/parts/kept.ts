import { useState } from 'react';

/** A setting of this browser. What can't be read or kept, in a private window for example, is as if it had not been set. */
export function useKept<T>(name: string, fallback: T, isValid: (value: unknown) => value is T) {
  const key = `holdfast.${name}`;
  const [value, setValue] = useState(() => {
    try {
      const kept: unknown = JSON.parse(localStorage.getItem(key) ?? 'null');
      return isValid(kept) ? kept : fallback;
    } catch {
      return fallback;
    }
  });
  const keep = (next: T) => {
    setValue(next);
    try {
      localStorage.setItem(key, JSON.stringify(next));
    } catch {
      // It counts for as long as the page is open.
    }
  };
  return [value, keep] as const;
}

export const isStrings = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((entry) => typeof entry === 'string');
