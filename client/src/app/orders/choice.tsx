import { useId } from 'react';

type Option<T extends string> = { readonly value: T; readonly label: string };

/** One of a few, side by side: radio buttons, so that arrows move and ears hear how many there are. */
export function Choice<T extends string>({
  legend,
  options,
  value,
  isDisabled,
  onChange,
}: {
  readonly legend: string;
  readonly options: readonly Option<T>[];
  readonly value: T;
  readonly isDisabled: boolean;
  readonly onChange: (value: T) => void;
}) {
  const name = useId();
  return (
    <fieldset className="orders-choice" aria-disabled={isDisabled}>
      <legend className="visually-hidden">{legend}</legend>
      {options.map((option) => (
        <label key={option.value} className="orders-choice-option" data-value={option.value}>
          <input
            className="orders-choice-input"
            type="radio"
            name={name}
            value={option.value}
            checked={option.value === value}
            onChange={() => {
              // Not disabled as such, which would take the focus away from who is on it.
              if (!isDisabled) onChange(option.value);
            }}
          />
          <span>{option.label}</span>
        </label>
      ))}
    </fieldset>
  );
}
