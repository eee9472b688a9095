import {
  Button,
  type ButtonProps,
  Link as FluentLink,
  type LinkProps as FluentLinkProps,
} from '@fluentui/react-components';
import { createLink } from '@tanstack/react-router';
import type { AnchorHTMLAttributes, Ref } from 'react';

type AnchorProps = AnchorHTMLAttributes<HTMLAnchorElement> & { ref?: Ref<HTMLAnchorElement> };

/** A link to a page. */
export const PageLink = createLink((props: AnchorProps) => (
  <FluentLink {...(props as FluentLinkProps & { as: 'a' })} />
));

/** A link to a page that looks like a button. */
export const PageButton = createLink(
  ({ appearance, icon, ...props }: AnchorProps & Pick<ButtonProps, 'appearance' | 'icon'>) => (
    <Button {...({ ...props, as: 'a' } as ButtonProps)} appearance={appearance} icon={icon} />
  ),
);
