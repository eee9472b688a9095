import { type Theme, webDarkTheme, webLightTheme } from '@fluentui/react-components';
import { createContext, useContext, useEffect, useSyncExternalStore } from 'react';
import { useKept } from '../parts/kept.ts';

export const themeChoices = ['system', 'light', 'dark'] as const;
export type ThemeChoice = (typeof themeChoices)[number];

const isChoice = (value: unknown): value is ThemeChoice => themeChoices.some((choice) => choice === value);

const darkQuery = window.matchMedia('(prefers-color-scheme: dark)');

interface ThemeSetting {
  theme: Theme;
  choice: ThemeChoice;
  choose(choice: ThemeChoice): void;
}

export const ThemeContext = createContext<ThemeSetting | undefined>(undefined);

export function useThemeSetting(): ThemeSetting {
  const setting = useContext(ThemeContext);
  if (setting === undefined) throw new Error('there is no theme here');
  return setting;
}

/** The colours: as the system wants them, until somebody chooses here. */
export function useTheme(): ThemeSetting {
  const [choice, choose] = useKept<ThemeChoice>('theme', 'system', isChoice);
  const systemIsDark = useSyncExternalStore(
    (listener) => {
      darkQuery.addEventListener('change', listener);
      return () => darkQuery.removeEventListener('change', listener);
    },
    () => darkQuery.matches,
  );
  const isDark = choice === 'dark' || (choice === 'system' && systemIsDark);
  useEffect(() => {
    document.documentElement.style.colorScheme = isDark ? 'dark' : 'light';
    document.documentElement.style.background = isDark ? '#1f1f1f' : '#ffffff';
  }, [isDark]);
  return { theme: isDark ? webDarkTheme : webLightTheme, choice, choose };
}
