import { Card, makeStyles, Title2, tokens } from '@fluentui/react-components';
import { useEffect } from 'react';
import { SignInForm } from './sign-in-form.tsx';

const useStyles = makeStyles({
  page: {
    minHeight: '100%',
    display: 'grid',
    placeItems: 'center',
    padding: tokens.spacingHorizontalL,
    boxSizing: 'border-box',
    backgroundColor: tokens.colorNeutralBackground2,
  },
  card: { width: '100%', maxWidth: '24rem', boxSizing: 'border-box', padding: tokens.spacingHorizontalXXL },
  hint: { color: tokens.colorNeutralForeground2, margin: 0 },
});

export function SignInPage() {
  const styles = useStyles();
  useEffect(() => {
    document.title = 'Sign in · Holdfast';
  }, []);
  return (
    <main className={styles.page}>
      <Card className={styles.card}>
        <Title2 as="h1">Holdfast</Title2>
        <SignInForm />
        <p className={styles.hint}>
          The first person here? At its start the service prints a link with which you make yourself the
          owner.
        </p>
      </Card>
    </main>
  );
}
