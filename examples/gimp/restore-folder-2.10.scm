; Restores all PNG and JPEG pictures of a folder with GIMP 2.10, and writes them as PNG into another one:
;
;   gimp-console-2.10 -i -d -f -b '(load "restore-folder-2.10.scm") (kds-restore-folder "photos" "restored")' \
;                     -b '(gimp-quit 1)'
;
; GIMP's exit code says nothing of what a script did; what failed is on standard error.

(define (kds-restore-folder source target)
  (define (name-of file) (car (reverse (strbreakup file "/"))))
  (define (restore file)
    (let* ((image (car (gimp-file-load RUN-NONINTERACTIVE file file)))
           (layer (car (gimp-image-get-active-layer image)))
           (result (string-append target "/" (car (strbreakup (name-of file) ".")) ".png")))
      (plug-in-kds-restore RUN-NONINTERACTIVE image layer
                           ""      ; model: the first that can do this
                           0 0     ; particles and steps: the model's own
                           -1 ""   ; strength and bandwidth of steering: the model's own
                           0       ; seed
                           "auto"  ; device
                           0       ; output: 0 replaces the layer
                           FALSE)  ; no layer of confidence
      (file-png-save-defaults RUN-NONINTERACTIVE image layer result result)
      (gimp-image-delete image)))
  (for-each (lambda (ending) (for-each restore (cadr (file-glob (string-append source "/*" ending) 1))))
            '(".png" ".jpg" ".jpeg" ".PNG" ".JPG" ".JPEG")))
