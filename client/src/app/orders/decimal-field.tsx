import { type ReactNode, type Ref, useId } from 'react';

/** A field for an exact number, with what is wrong with it beneath, tied to it for ears as well. */
export function DecimalField({
  ref,
  label,
  unit,
  value,
  problem,
  isDisabled,
  onChange,
  onLeave,
  children,
}: {
  readonly ref?: Ref<HTMLInputElement>;
  readonly label: string;
  readonly unit: string;
  readonly value: string;
  /** As a sentence; `null`: nothing, or not to be told yet. */
  readonly problem: string | null;
  readonly isDisabled: boolean;
  readonly onChange: (value: string) => void;
  readonly onLeave: () => void;
  /** What fills the field in one press. */
  readonly children?: ReactNode;
}) {
  const id = useId();
  return (
    <div className="orders-field">
      <div className="orders-field-head">
        <label htmlFor={id}>{label}</label>
        <span className="orders-presets">{children}</span>
      </div>
      <div className="orders-field-box" data-invalid={problem !== null}>
        <input
          ref={ref}
          id={id}
          className="orders-field-input num"
          type="text"
          inputMode="decimal"
          autoComplete="off"
          enterKeyHint="go"
          value={value}
          readOnly={isDisabled}
          aria-invalid={problem !== null}
          aria-describedby={problem === null ? undefined : `${id}-problem`}
          onChange={(event) => onChange(event.target.value)}
          onBlur={onLeave}
        />
        <span className="orders-field-unit" aria-hidden="true">
          {unit}
        </span>
      </div>
      {problem === null ? null : (
        <p id={`${id}-problem`} className="orders-problem">
          <span aria-hidden="true">! </span>
          {problem}
        </p>
      )}
    </div>
  );
}
