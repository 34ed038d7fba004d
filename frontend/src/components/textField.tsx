import type { ReactNode } from "react";
import { FieldError } from "react-aria-components/FieldError";
import { Input } from "react-aria-components/Input";
import { Label } from "react-aria-components/Label";
import { Text } from "react-aria-components/Text";
import { TextField as AriaTextField, type TextFieldProps as AriaProps } from "react-aria-components/TextField";

export interface TextFieldProps extends Omit<AriaProps, "className" | "style" | "children"> {
  label: string;
  description?: ReactNode;
  /** What is wrong, and what to enter instead. The field is invalid while it has one. */
  errorMessage?: ReactNode;
  placeholder?: string;
}

export function TextField({ label, description, errorMessage, placeholder, ...props }: TextFieldProps): ReactNode {
  return (
    <AriaTextField {...props} className="field" isInvalid={Boolean(errorMessage)} validationBehavior="aria">
      <Label className="field-label">{label}</Label>
      {description && (
        <Text slot="description" className="field-description">
          {description}
        </Text>
      )}
      <Input className="input" placeholder={placeholder ?? ""} />
      <FieldError className="field-error">{errorMessage}</FieldError>
    </AriaTextField>
  );
}
