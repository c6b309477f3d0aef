import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { restoreRoute } from './shell/route.ts';
import { createTape, TapeProvider } from './tape-client.tsx';
import { startTheme } from './theme/theme.ts';
import './theme/tokens.css';
import './theme/base.css';

startTheme();
restoreRoute();

/** Where there is but one user, the server signs him in. */
const token = document.querySelector<HTMLMetaElement>('meta[name="tapeql-token"]')?.content ?? null;
const tape = createTape({ url: '/graphql', token });

createRoot(document.querySelector('#page')!).render(
  <StrictMode>
    <TapeProvider tape={tape}>
      <App />
    </TapeProvider>
  </StrictMode>,
);
