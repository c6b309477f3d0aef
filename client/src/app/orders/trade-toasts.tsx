import { useEffect, useSyncExternalStore } from 'react';
import { toast, Toaster } from 'sonner';
import { useViewer } from '../portfolio/viewer.ts';
import { goTo } from '../shell/route.ts';
import { useTape } from '../tape-client.tsx';
import { useTheme } from '../theme/theme.ts';
import { followNotices } from './follow-notices.ts';
import { noticeMemoryOf } from './notice-log.ts';
import { describeNotice, describeNotices, type Notice } from './notice.ts';
import { ordersStoreOf } from './orders-store.ts';
import './trade-toasts.css';

/** More of them at once are told as one. */
const MAX_AT_ONCE = 5;
/** What failed asks for a second look. */
const EXECUTED_MS = 6_000;
const FAILED_MS = 12_000;
const PHONE = '(max-width: 699px)';

/** Tells the viewer of executions and failures as they come, and of those that came while this page was away. Stands once in the page. */
export function TradeToasts() {
  const client = useTape();
  const viewer = useViewer();
  const theme = useTheme();
  const isPhone = useSyncExternalStore(watchPhone, () => matchMedia(PHONE).matches);
  const userId = viewer.kind === 'signed-in' && viewer.canRead ? viewer.id : null;
  useEffect(() => {
    if (userId === null) return;
    const orders = ordersStoreOf(client);
    return followNotices({
      client,
      memory: noticeMemoryOf(userId),
      tell: (notices) => {
        show(notices);
        for (const notice of notices) orders.noteNotice(notice);
      },
    });
  }, [client, userId]);
  return (
    <Toaster
      closeButton
      expand
      theme={theme}
      position={isPhone ? 'top-center' : 'bottom-right'}
      visibleToasts={MAX_AT_ONCE}
      containerAriaLabel="Executions and rejections"
      toastOptions={{ classNames: { toast: 'orders-toast', description: 'orders-toast-detail' } }}
    />
  );
}

function show(notices: readonly Notice[]): void {
  if (notices.length > MAX_AT_ONCE) {
    const { title, detail } = describeNotices(notices);
    const action = { label: 'Show', onClick: () => goTo('#/portfolio') };
    toast.info(title, { description: detail, duration: FAILED_MS, action });
    return;
  }
  for (const notice of notices) {
    const { title, detail } = describeNotice(notice);
    // By its name: what is told again after a reload takes the place of itself.
    if (notice.kind === 'failed') toast.error(title, { id: notice.id, description: detail, duration: FAILED_MS });
    else toast.success(title, { id: notice.id, description: detail, duration: EXECUTED_MS });
  }
}

function watchPhone(listener: () => void): () => void {
  const query = matchMedia(PHONE);
  query.addEventListener('change', listener);
  return () => query.removeEventListener('change', listener);
}
